"""A body is decoded once; what the decoder overlooks is found without decoding a second time."""

import json
from typing import Any
from uuid import UUID

import pytest
from msgspec.json import encode
from werkzeug.test import EnvironBuilder

from booking_api.http import bodies
from booking_api.http.bodies import CreateBooking, create_booking_body, decode_create_booking, idempotency_key
from booking_api.http.flask_app import DECODED_BODY, ApiRequest
from booking_api.http.query import InvalidRequest

EVENT, SEAT = "018f2b6a-7c1d-7e3a-9b4c-5d6e7f809100", "018f2b6a-7c1d-7e3a-9b4c-5d6e7f809101"
PLAIN = f'{{"eventId":"{EVENT}","seatIds":["{SEAT}"]}}'.encode()


@pytest.fixture
def no_second_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "plain_document", None)


@pytest.mark.usefixtures("no_second_decoding")
@pytest.mark.parametrize("raw", [PLAIN, json.dumps(json.loads(PLAIN), indent=2).encode(), PLAIN.replace(b",", b" ,\t")])
def test_a_plain_body_is_decoded_once(raw: bytes) -> None:
    body = decode_create_booking(raw)

    assert body is not None
    assert body.fields == CreateBooking(UUID(EVENT), [UUID(SEAT)])
    assert body.canonical == PLAIN


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        (f'{{"seatIds":["{SEAT}"],"eventId":"{EVENT}"}}', PLAIN),
        (f'{{"eventId":"\\u0030{EVENT[1:]}","seatIds":["{SEAT}"]}}', PLAIN),
        (
            f'{{"eventId":"{EVENT.upper()}","seatIds":["{SEAT}"]}}',
            PLAIN.replace(EVENT.encode(), EVENT.upper().encode()),
        ),
    ],
)
def test_a_body_in_another_spelling_is_valid(raw: str, canonical: bytes) -> None:
    body = decode_create_booking(raw.encode())

    assert body is not None
    assert body.fields == CreateBooking(UUID(EVENT), [UUID(SEAT)])
    assert body.canonical == canonical


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[" * 4000,
        b"\xff",
        PLAIN[:-1],
        PLAIN.replace(b"-", b""),
        PLAIN.replace(b"}", b',"more":1}'),
        PLAIN.replace(b"}", f',"eventId":"{EVENT}"}}'.encode()),
        PLAIN.replace(b"}", b',"seatIds":[]}'),
        PLAIN + b" " * 4096,
    ],
)
def test_an_invalid_or_long_body_is_left_to_the_route(raw: bytes) -> None:
    assert decode_create_booking(raw) is None


@pytest.mark.usefixtures("no_second_decoding")
def test_the_route_takes_the_body_that_the_gateway_decoded() -> None:
    decoded = decode_create_booking(PLAIN)
    environ: dict[str, Any] = EnvironBuilder(method="POST", data=b"not read").get_environ()

    assert ApiRequest(environ | {DECODED_BODY: decoded}).decoded(create_booking_body) is decoded


def test_a_wrong_content_type_is_rejected_although_the_gateway_decoded_the_body() -> None:
    environ: dict[str, Any] = EnvironBuilder(method="POST", data=PLAIN, content_type="text/plain").get_environ()

    with pytest.raises(InvalidRequest, match="Content-Type must be application/json"):
        ApiRequest(environ | {DECODED_BODY: decode_create_booking(PLAIN)}).decoded(create_booking_body)


def test_the_fingerprint_is_that_of_the_sorted_document() -> None:
    """Stored keys outlive a release, so fingerprints must not change."""
    body = decode_create_booking(PLAIN)
    assert body is not None

    key = idempotency_key("k", "ann", "POST /api/v1/bookings", body)

    assert key is not None
    assert key.fingerprint == "8eb686ae1fe86810c021e9d5184a6aeb4a9eac10579728a7e0b20e5c529a5536"
    assert body.canonical == encode(json.loads(PLAIN), order="sorted")
    assert idempotency_key(None, "ann", "POST /api/v1/bookings", body) is None
