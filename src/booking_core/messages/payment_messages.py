"""Parse messages of the Payment Service, from the bytes on the wire to a command (design, section 6). Pure and strict.

A message is JSON in UTF-8 with the envelope of the spec's section 8. Versions 1.x are accepted and unknown fields are
ignored. For any bytes, `parse` returns a command or Skipped, or raises MalformedMessage with one line that names the
problem.
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from attrs import frozen

from booking_core.domain.commands import (
    AnswerRefund,
    ConfirmPayment,
    FailPayment,
    PaymentCommand,
    StartPayment,
)
from booking_core.domain.errors import InvalidValue, MalformedMessage
from booking_core.domain.payments import RefundStatus
from booking_core.domain.values import MAX_TEXT, is_storable

MAX_BYTES: Final = 1_000_000  # the usual limit of a broker
_OURS: Final = ("payment.", "refund.")
_VERSION: Final = re.compile(r"1\.[0-9]{1,9}", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


@frozen
class Skipped:
    """A message of a type that we do not handle: acknowledged and counted."""

    event_type: str


class _Number(str):
    """A JSON number as it was written: exact, and converted only when it is used."""

    __slots__ = ()


def parse(value: bytes) -> PaymentCommand | Skipped:
    """The command that a message asks for, or Skipped for other types than `payment.*` and `refund.*`.

    Raises MalformedMessage for everything that can never be applied: no JSON, a field that is missing or of the wrong
    type, another major version, an unknown `payment.*` or `refund.*`, a repeated field.
    """
    envelope = _decoded(value)
    event_type = _text(envelope, "eventType")
    if not event_type.startswith(_OURS):
        return Skipped(event_type)
    make = _COMMANDS.get(event_type)
    if make is None:
        raise MalformedMessage(f"eventType {event_type!r} is unknown")
    version = _text(envelope, "version")
    if not _VERSION.fullmatch(version):
        raise MalformedMessage(f"version {version!r} is not supported: it must be 1.x")
    _text(envelope, "timestamp")
    payload = _Payload(envelope)
    try:
        return make(payload)
    except InvalidValue as error:
        raise MalformedMessage(str(error)) from error


def _decoded(value: bytes) -> Mapping[str, Any]:
    if len(value) > MAX_BYTES:
        raise MalformedMessage(f"the message is longer than {MAX_BYTES} bytes")
    try:
        found = json.loads(
            value.decode("utf-8"),
            object_pairs_hook=_without_repeats,
            parse_float=_Number,
            parse_int=_Number,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise MalformedMessage(f"the message is not UTF-8: byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise MalformedMessage(f"the message is not JSON: {error.msg} at character {error.pos}") from error
    except RecursionError as error:
        raise MalformedMessage("the message is nested too deeply") from error
    return _object(found, "the message")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedMessage("the message says a field twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise MalformedMessage(f"{name} is not a JSON number")


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MalformedMessage(f"{name} must be an object")
    return value


def _required(fields: Mapping[str, Any], name: str) -> Any:
    if name not in fields:
        raise MalformedMessage(f"{name} is missing")
    return fields[name]


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = _required(fields, name)
    # A _Number is a str too: the exact type distinguishes them.
    if type(value) is not str or not 1 <= len(value) <= MAX_TEXT:
        raise MalformedMessage(f"{name} must be a text of 1 to {MAX_TEXT} characters")
    if not is_storable(value):
        raise MalformedMessage(f"{name} must not hold NUL or unpaired surrogates")
    return value


def _uuid(fields: Mapping[str, Any], name: str) -> UUID:
    value = _text(fields, name)
    if not _UUID.fullmatch(value):
        raise MalformedMessage(f"{name} must be a UUID")
    return UUID(value)


def _reason(fields: Mapping[str, Any]) -> str:
    """The reason, for people only: absent, null and empty are the same. The command cuts a long one."""
    value = fields.get("reason")
    if value is None:
        return ""
    if type(value) is not str or not is_storable(value):
        raise MalformedMessage("reason must be a text without NUL or unpaired surrogates")
    return value


def _amount(fields: Mapping[str, Any]) -> Decimal:
    written = _required(fields, "amount")
    if not isinstance(written, _Number):
        raise MalformedMessage("amount must be a number")
    try:
        amount = Decimal(written)
    except InvalidOperation as error:
        raise MalformedMessage("amount has an exponent that no amount has") from error
    return amount if amount else amount.copy_abs()


@frozen(init=False)
class _Payload:
    """The payload, and the fields of it and of the envelope that every command has."""

    fields: Mapping[str, Any]
    common: Mapping[str, Any]

    def __init__(self, envelope: Mapping[str, Any]) -> None:
        fields = _object(_required(envelope, "payload"), "payload")
        common = {
            "message_id": _uuid(envelope, "eventId"),
            "correlation_id": _text(envelope, "correlationId"),
            "booking_id": _uuid(fields, "bookingId"),
            "payment_id": _text(fields, "paymentId"),
        }
        self.__attrs_init__(fields=fields, common=common)


def _started(payload: _Payload) -> StartPayment:
    return StartPayment(**payload.common)


def _succeeded(payload: _Payload) -> ConfirmPayment:
    amount, currency = _amount(payload.fields), _text(payload.fields, "currency")
    return ConfirmPayment(**payload.common, amount=amount, currency=currency)


def _failed(payload: _Payload) -> FailPayment:
    return FailPayment(**payload.common, reason=_reason(payload.fields))


def _refunded(payload: _Payload) -> AnswerRefund:
    return AnswerRefund(**payload.common, status=RefundStatus.COMPLETED)


def _not_refunded(payload: _Payload) -> AnswerRefund:
    return AnswerRefund(**payload.common, status=RefundStatus.FAILED, reason=_reason(payload.fields))


_COMMANDS: Final[Mapping[str, Callable[[_Payload], PaymentCommand]]] = {
    "payment.processing": _started,
    "payment.success": _succeeded,
    "payment.failed": _failed,
    "refund.completed": _refunded,
    "refund.failed": _not_refunded,
}

CONSUMED: Final = tuple(_COMMANDS)
"""Every event type that we apply, by its name on the wire."""
