"""Loaded into schemathesis (SCHEMATHESIS_HOOKS): makes some of what it makes up true, and checks more than it does.

What is put in is chosen by what was made up, so that the same seed sends the same requests.
"""

from __future__ import annotations

import atexit
import json
import os
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import schemathesis

_DIRECTORY = Path(os.environ["BOOKING_TEST_DIRECTORY"])
_SCENE: dict[str, Any] = json.loads((_DIRECTORY / "scene.json").read_text())
_ANSWERS: Counter[str] = Counter()
# Of the server, or of HTTP itself: no description names them.
_NOT_OURS = {"content-type", "content-length", "date", "server", "connection", "transfer-encoding"}


@schemathesis.hook("map_body").apply_to(operation_id="create_booking")  # type: ignore[attr-defined, untyped-decorator]
def reserve_what_is_there(context: schemathesis.HookContext, body: Any) -> Any:
    """Most well-formed orders ask for seats that exist; some of them for one that does not."""
    choice = _choice(body)
    if not _is_order(body) or choice % 4 == 0:
        return body
    seats = _SCENE["seat_ids"]
    first = choice // 4 % len(seats)
    wanted = [seats[(first + place) % len(seats)] for place in range(min(len(body["seatIds"]), 2))]
    if choice % 4 == 1:
        wanted[0] = body["seatIds"][0]
    return {"eventId": _SCENE["event_id"], "seatIds": wanted}


@schemathesis.hook("map_body").apply_to(operation_id="verify_ticket")  # type: ignore[attr-defined, untyped-decorator]
def show_a_ticket(context: schemathesis.HookContext, body: Any) -> Any:
    """Every second text is a ticket."""
    choice = _choice(body)
    if not isinstance(body, dict) or set(body) != {"ticketReference"} or choice % 2:
        return body
    if not isinstance(body["ticketReference"], str):
        return body
    return {"ticketReference": _SCENE["references"][choice // 2 % len(_SCENE["references"])]}


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], **options: Any) -> None:
    """The event that is on sale stays so: others are there to be cancelled."""
    if case.method == "POST" and case.path_parameters.get("eventId") == _SCENE["event_id"]:
        case.path_parameters["eventId"] = _SCENE["doomed"][0]


@schemathesis.hook
def after_call(
    context: schemathesis.HookContext, case: schemathesis.Case[Any], response: schemathesis.Response
) -> None:
    """Count what is met."""
    _ANSWERS[f"{case.operation.definition.raw['operationId']} {response.status_code} {_code_in(response)}".strip()] += 1


@atexit.register
def tell_what_was_met() -> None:
    (_DIRECTORY / "answers.json").write_text(json.dumps(_ANSWERS))


def _code_in(response: schemathesis.Response) -> str:
    try:
        return str(json.loads(response.content)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""


@schemathesis.check
def every_header_is_described(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> bool | None:
    """An answer has no header that its description does not name."""
    described = case.operation.responses.find_by_status_code(response.status_code)
    if described is None:
        return None
    known = {name.lower() for name in described.definition.get("headers", {})}
    unknown = {name.lower() for name in response.headers} - known - _NOT_OURS
    assert not unknown, f"headers that are not described: {sorted(unknown)}"
    return None


def _is_order(body: Any) -> bool:
    return (
        isinstance(body, dict)
        and set(body) == {"eventId", "seatIds"}
        and isinstance(body["seatIds"], list)
        and 0 < len(body["seatIds"]) <= 10
        and all(map(_is_id, (body["eventId"], *body["seatIds"])))
        and len(set(body["seatIds"])) == len(body["seatIds"])
    )


def _is_id(text: Any) -> bool:
    try:
        return isinstance(text, str) and str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _choice(body: Any) -> int:
    return int.from_bytes(sha256(repr(body).encode("utf-8", "replace")).digest()[:4], "big")
