"""The two doors of `POST /api/v1/bookings` (ADR 0030): each sends one request, and shows the response and the log."""

import json
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, Final
from uuid import UUID

from attrs import field, frozen
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from booking_api.app import BookingApi
from booking_api.gateway_reservations import GatewayReservation
from booking_api.gateway_responses import GatewayRequest
from booking_api.http.access_log import AccessLog
from booking_api.http.bodies import decode_create_booking
from booking_api.http.flask_app import ARRIVED
from booking_api.http.metrics import HttpMetrics
from booking_core import ReservationRequest, reserve_group
from booking_core.application.reserve_group import Outcome
from booking_core.domain.group import Deferral
from booking_core.ports import Store
from booking_server.gateway.application import call_wsgi, wsgi_environ
from tests.support.reservation_requests import Made, World, user_id
from tests.support.rsgi import Headers, Scope

PSEUDONYM_KEY: Final = b"the same pseudonyms in both worlds"
PSEUDONYMS: Final = AccessLog(HttpMetrics(CollectorRegistry()), PSEUDONYM_KEY)


@frozen
class Answer:
    """A response as it goes to the server, and the records that were logged meanwhile, without durations."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    log: list[dict[str, Any]] = field(factory=list)


def through_flask(
    app: BookingApi, headers: Mapping[str, str], body: bytes, *, environ: Mapping[str, Any] | None = None
) -> Answer:
    """The answer of the application, called as the gateway calls it."""
    called = {**wsgi_environ(Scope(headers=Headers(headers)), headers, body), ARRIVED: monotonic(), **(environ or {})}
    with capture_logs() as lines:
        status, sent, written = call_wsgi(app, called)
    return Answer(status, sent, written, _without_durations(lines))


def understood(
    app: BookingApi, headers: Mapping[str, str], body: bytes, *, ago: float = 0.0
) -> GatewayReservation | None:
    """What the gateway understands of a request that arrived `ago` seconds ago."""
    decoded = decode_create_booking(body)
    if decoded is None:
        return None
    return app.gateway_reservations.understood(GatewayRequest("POST", headers, monotonic() - ago), decoded)


def answered(app: BookingApi, reservation: GatewayReservation, outcome: Any) -> Answer:
    """The gateway's answer to an outcome."""
    with capture_logs() as lines:
        status, headers, body = app.gateway_reservations.response(reservation, outcome, started=monotonic())
    return Answer(status, headers, body, _without_durations(lines))


def through_gateway(
    app: BookingApi, store: Store, requests: Sequence[tuple[Mapping[str, str], bytes]], **options: Any
) -> list[tuple[Answer, bool]]:
    """The answers to one group of requests, and whether the gateway gave them; the application answers the others."""
    members = [understood(app, headers, body) for headers, body in requests]
    group: list[ReservationRequest] = [each.reservation for each in members if each is not None]
    outcomes: list[Outcome] = list(reserve_group(group, store=store, **options)) if group else []
    answers: list[tuple[Answer, bool]] = []
    for member, (headers, body) in zip(members, requests, strict=True):
        outcome = None if member is None else outcomes.pop(0)
        if member is None or isinstance(outcome, Deferral):
            environ = None if member is None else app.gateway_reservations.deferred(member)
            answers.append((through_flask(app, headers, body, environ=environ), False))
        else:
            answers.append((answered(app, member, outcome), True))
    return answers


def counted(app: BookingApi) -> dict[str, float]:
    """The numbers of requests, waits and reservations in the metrics, by series."""
    names = ("booking_http", "booking_reservations", "booking_front")
    lines = app.test_client().get("/metrics").text.splitlines()
    pairs = (line.rpartition(" ")[::2] for line in lines if line.startswith(names))
    return {series: float(value) for series, value in pairs if series.partition("{")[0].endswith(("_total", "_count"))}


def outcome_of(answer: Answer) -> str:
    """The code of an error, or what kind of success it is."""
    if answer.status < 400:
        return "REPLAYED" if "idempotency-replayed" in _named(answer) else "CREATED"
    code: str = json.loads(answer.body)["error"]["code"]
    return code


def comparable(world: World, made: Made, answer: Answer) -> Any:
    """An answer in one world and its log, without what may differ. A correlation id that was not sent is a new one."""
    named, sent = _named(answer), made.headers.get("x-correlation-id")
    assert named["content-length"] == str(len(answer.body))
    correlation_id = named["x-correlation-id"]
    assert correlation_id == sent or UUID(correlation_id).version == 4
    shown = "sent" if correlation_id == sent else "generated"
    # The length has been checked; a time without a fraction is shorter.
    differing = {"x-correlation-id": shown, "content-length": "", "date": ""}
    headers = [(name, differing.get(name.lower(), text)) for name, text in answer.headers]
    body = world.normalized(answer.body.decode())
    return answer.status, headers, body, [_comparable_line(world, made, line, correlation_id) for line in answer.log]


def _comparable_line(world: World, made: Made, line: Mapping[str, Any], correlation_id: str) -> Mapping[str, Any]:
    assert line["correlation_id"] == correlation_id
    shown = {name: value for name, value in line.items() if name != "correlation_id"}
    if "booking_id" in line:
        shown["booking_id"] = world.number_of(line["booking_id"])
    if "exc_info" in line:
        shown["exc_info"] = repr(line["exc_info"][1])
    if line.get("user") == PSEUDONYMS.pseudonym(world.of(user_id(made.user))):
        shown["user"] = "theirs"
    return shown


def _named(answer: Answer) -> dict[str, str]:
    return {name.lower(): text for name, text in answer.headers}


def _without_durations(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name != "duration_ms"} for line in lines]
