"""What orchestrators, Prometheus and the log are told; none of it needs a token, and none of it names a customer."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from booking_core import CatalogUnavailable, Seat, TicketedEvent
from booking_core.ports import Health, HealthKind, Store
from tests.support.api import ANN, BOB, BOOKINGS, EVENTS, Api, Hall, data_of, error_of


class Troubled:
    """A store that an operator must look after."""

    def __init__(self) -> None:
        self.upkeep = self

    def health(self) -> Health:
        problem = "the schema at 10.1.2.3 is older than this program"
        return Health(kind=HealthKind.OLD_SCHEMA, problem=problem, remedy="run `booking migrate`")

    def connection_use(self) -> None:
        """None: there is no pool."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("unreachable")


def figures(api: Api) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = api.get("/metrics", user=None)
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def requests(api: Api, **labels: str) -> float:
    return figures(api).get(("booking_http_requests_total", tuple(sorted(labels.items()))), 0)


def test_the_process_is_alive_whatever_the_store_says(api: Api) -> None:
    troubled = Api(Troubled(), api.issuer)

    assert data_of(troubled.get("/healthz", user=None)) == {"status": "ALIVE"}


def test_it_is_ready_while_the_store_can_be_used(api: Api) -> None:
    answer = api.get("/readyz", user=None)

    assert answer.status_code == 200
    assert data_of(answer) == {"status": "READY"}


def test_it_is_not_ready_otherwise_and_only_the_log_says_why(api: Api) -> None:
    with capture_logs() as lines:
        answer = Api(Troubled(), api.issuer).get("/readyz", user=None)

    assert error_of(answer) == (503, "SERVICE_BUSY")
    assert answer.headers["Retry-After"] == "1"
    assert b"10.1.2.3" not in answer.data
    assert any("booking migrate" in str(line.get("trouble")) for line in lines)


def test_requests_are_counted_by_template_never_by_path(api: Api, hall: Hall) -> None:
    route = f"{BOOKINGS}/<booking_id>"
    for piece in ("x", "y"):
        api.get(f"{BOOKINGS}/{piece}")
        api.get(f"/{piece}")
        api.call(f"MADE-UP-{piece}", "/healthz")

    assert requests(api, method="GET", route=route, status="404", code="BOOKING_NOT_FOUND") == 2
    assert requests(api, method="GET", route="", status="404", code="NOT_FOUND") == 2
    assert requests(api, method="OTHER", route="", status="405", code="METHOD_NOT_ALLOWED") == 2
    counted = figures(api)
    assert counted["booking_http_request_duration_seconds_count", (("method", "GET"), ("route", route))] == 2
    assert not [name for name, labels in counted if "MADE-UP" in str(labels)]


def test_reservations_are_counted_by_outcome(api: Api, hall: Hall) -> None:
    headers = {"Idempotency-Key": "k"}
    api.post(BOOKINGS, hall.order(0), headers=headers)
    api.post(BOOKINGS, hall.order(0), headers=headers)
    api.post(BOOKINGS, hall.order(0), user=BOB)
    api.post(BOOKINGS, b"{")
    api.get(f"{BOOKINGS}/my")

    counted = {
        labels[0][1]: value
        for (name, labels), value in figures(api).items()
        if name == "booking_reservations_total" and value
    }

    assert counted == {"CREATED": 1, "REPLAYED": 1, "SEAT_ALREADY_RESERVED": 1, "VALIDATION_FAILED": 1}


def test_the_composition_may_write_the_figures_itself(store: Store, api: Api) -> None:
    assert Api(store, api.issuer, metrics=lambda: b"all_processes 2\n").get("/metrics", user=None).data == (
        b"all_processes 2\n"
    )


class TestAccessLog:
    def line(self, api: Api, *call: Any, **how: Any) -> Any:
        with capture_logs() as lines:
            api.call(*call, **how)
        (line,) = [line for line in lines if line["event"] == "request"]
        return line

    def test_has_one_line_for_a_request(self, api: Api, hall: Hall) -> None:
        booking = api.held(hall, 0)

        line = self.line(api, "DELETE", f"{BOOKINGS}/{booking.booking_id}", headers={"X-Correlation-Id": "c-1"})

        assert line.pop("duration_ms") >= 0
        assert len(line.pop("user")) == 16
        assert line == {
            "event": "request",
            "log_level": "info",
            "method": "DELETE",
            "route": f"{BOOKINGS}/<booking_id>",
            "status": 200,
            "correlation_id": "c-1",
            "booking_id": str(booking.booking_id),
        }

    def test_names_the_booking_that_was_made(self, api: Api, hall: Hall) -> None:
        for place, headers in ((0, {}), (1, {"Idempotency-Key": "k"})):
            line = self.line(api, "POST", BOOKINGS, body=hall.order(place), headers=headers)

            made = data_of(api.get(f"{BOOKINGS}/my"))[0]["bookingId"]
            assert (line["status"], line["booking_id"]) == (201, made)

    def test_stands_a_pseudonym_for_the_user_the_same_for_the_same(self, api: Api) -> None:
        path = f"{BOOKINGS}/my"
        first, again, other = (self.line(api, "GET", path, user=user)["user"] for user in (ANN, ANN, BOB))

        assert first == again != other
        assert self.line(Api(api.store, api.issuer), "GET", path)["user"] != first, "another key, another pseudonym"

    def test_names_neither_token_nor_user_and_says_why_a_token_was_refused(self, api: Api) -> None:
        token = api.issuer.sign(ANN, lifetime_seconds=-99)

        refused = self.line(api, "GET", f"{BOOKINGS}/my", user=None, headers={"Authorization": f"Bearer {token}"})

        assert (refused["code"], refused["reason"]) == ("UNAUTHENTICATED", "expired")
        assert token.split(".")[2] not in str(refused)
        assert ANN not in str(refused) + str(self.line(api, "GET", f"{BOOKINGS}/my"))

    @pytest.mark.parametrize("path", ["/a\nb", f"{BOOKINGS}/a\r\nb", "/healthz?x=\n"])
    def test_takes_no_line_break_from_a_caller(self, api: Api, path: str) -> None:
        headers = {"Idempotency-Key": "a\x85b", "X-Correlation-Id": "a\x0bb"}

        line = self.line(api, "GET", path, headers=headers)

        assert all(str(value).isprintable() for value in line.values())

    def test_takes_no_line_break_from_a_service_that_failed(self, api: Api) -> None:
        class Chatty:
            breaker_state: str | None = None

            def event(self, event_id: UUID) -> TicketedEvent | None:
                raise CatalogUnavailable("no answer\nrequest forged=1\r\n")

            def seats(self, event: TicketedEvent, seat_ids: Any = None) -> list[Seat] | None:
                return None

            def close(self) -> None:
                """Nothing is open."""

        line = self.line(Api(api.store, api.issuer, catalog=Chatty()), "GET", f"{EVENTS}/{uuid4()}")

        assert line["reason"] == "CatalogUnavailable: no answer request forged=1"

    def test_a_fault_of_ours_is_logged_with_its_traceback_and_correlation_id(self, api: Api) -> None:
        with capture_logs() as lines:
            answer = Api(Troubled(), api.issuer).get(f"{BOOKINGS}/my", headers={"X-Correlation-Id": "c-2"})

        assert error_of(answer) == (500, "INTERNAL_ERROR")
        (failed,) = [line for line in lines if line["event"] == "request.failed"]
        assert failed["correlation_id"] == "c-2"
        assert failed["exc_info"][2] is not None
        assert str(failed["exc_info"][1]) == "unreachable"
