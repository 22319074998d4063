"""The ticket of a booking as an image, read as a scanner reads it; and what whoever stands at the door is told."""

from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import pytest
from PIL import ImageDraw
from werkzeug.test import TestResponse

from booking_core import Booking, CancelEvent, close_event
from tests.integration.http.ticket_images import SVG, png_image, svg_image, text_in
from tests.support.api import BOB, BOOKINGS, EVENTS, ROOT, Api, Hall, data_of, details_of, error_of

VERIFY = "/api/v1/tickets/verify"
NO_TEXTS: list[Any] = [None, 7, True, ["x"], {}]
KINDS = {"svg": "image/svg+xml", "png": "image/png"}


def confirmed(api: Api, hall: Hall, *places: int) -> tuple[Booking, str]:
    """A paid booking of Ann's and its reference."""
    booking = api.held(hall, *places)
    api.paid(booking)
    reference: str = data_of(api.get(f"{BOOKINGS}/{booking.booking_id}"))["ticketReference"]
    return booking, reference


def ticket(booking: Booking, kind: str) -> str:
    return f"{BOOKINGS}/{booking.booking_id}/ticket.{kind}"


def verify(api: Api, body: Any, *permissions: str) -> TestResponse:
    granted = api.issuer.sign(ROOT, list(permissions or ["booking:verify"]))
    return api.post(VERIFY, body, user=None, headers={"Authorization": f"Bearer {granted}"})


def checked(api: Api, text: str) -> Any:
    answer = verify(api, {"ticketReference": text})
    assert answer.status_code == 200
    return data_of(answer)


class TestImages:
    def test_a_scanner_reads_the_reference(self, api: Api, hall: Hall) -> None:
        booking, reference = confirmed(api, hall, 0, 1)

        png = png_image(api.get(ticket(booking, "png")).data)
        svg = svg_image(api.get(ticket(booking, "svg")).data, 7)

        assert text_in(png) == [reference]
        assert text_in(svg) == [reference]
        assert png.width == png.height >= 300
        edge = 4 * png.width // (25 + 2 * 4)
        assert png.point(lambda shade: 255 - shade).getbbox() == (edge, edge, png.width - edge, png.height - edge)

    def test_a_scanner_reads_a_ticket_that_has_suffered(self, api: Api, hall: Hall) -> None:
        booking, reference = confirmed(api, hall, 0)
        image = png_image(api.get(ticket(booking, "png")).data)
        middle, spot = image.width // 2, image.width // 9
        ImageDraw.Draw(image).ellipse((middle - spot, middle - spot, middle + spot, middle + spot), fill=0)

        assert text_in(image.rotate(17, expand=True, fillcolor=255)) == [reference]

    @pytest.mark.parametrize("kind", KINDS)
    def test_is_shown_in_place_and_kept_by_nobody(self, api: Api, hall: Hall, kind: str) -> None:
        booking, _ = confirmed(api, hall, 0)

        answer = api.get(ticket(booking, kind), headers={"X-Correlation-Id": "door-1"})

        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == KINDS[kind]
        assert answer.headers["Content-Disposition"] == f'inline; filename="ticket-{booking.booking_id}.{kind}"'
        assert answer.headers.getlist("Cache-Control") == ["no-store"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer.headers["X-Correlation-Id"] == "door-1"
        assert api.call("HEAD", ticket(booking, kind)).status_code == 200

    def test_the_drawing_fits_any_size_and_says_what_it_is(self, api: Api, hall: Hall) -> None:
        booking, reference = confirmed(api, hall, 0)

        root = ElementTree.fromstring(api.get(ticket(booking, "svg")).data)

        assert root.tag == f"{SVG}svg"
        assert root.attrib["role"] == "img"
        assert "viewBox" in root.attrib
        assert not {"width", "height"} & set(root.attrib)
        assert root.findtext(f"{SVG}title") == "QR code of the ticket"
        assert root.findtext(f"{SVG}desc") == f"Ticket reference {reference}"
        assert {each.tag for each in root} == {f"{SVG}title", f"{SVG}desc", f"{SVG}path"}, "no script, nothing fetched"

    @pytest.mark.parametrize("kind", KINDS)
    def test_of_a_stranger_or_of_nobody_is_as_unknown_as_the_booking(self, api: Api, hall: Hall, kind: str) -> None:
        booking, _ = confirmed(api, hall, 0)
        sent = {"X-Correlation-Id": "the-same"}
        unknown = [f"{BOOKINGS}/{each}/ticket.{kind}" for each in (uuid4(), "x", "my", f"{booking.booking_id}x")]

        answers = [
            api.get(ticket(booking, kind), user=BOB, headers=sent),
            api.get(ticket(booking, kind), user=ROOT, admin=True, headers=sent),
            *(api.get(path, headers=sent) for path in unknown),
        ]

        assert {error_of(answer) for answer in answers} == {(404, "BOOKING_NOT_FOUND")}
        assert len({answer.data for answer in answers}) == 1
        assert error_of(api.get(ticket(booking, kind), user=None)) == (401, "UNAUTHENTICATED")
        assert error_of(api.post(ticket(booking, kind), {})) == (405, "METHOD_NOT_ALLOWED")
        assert error_of(api.get(f"{BOOKINGS}/{booking.booking_id}/ticket.gif")) == (404, "NOT_FOUND")

    @pytest.mark.parametrize("kind", KINDS)
    def test_only_a_confirmed_booking_has_one(self, api: Api, hall: Hall, kind: str) -> None:
        pending, overdue, paying = api.held(hall, 0), api.overdue(hall, 1), api.held(hall, 2)
        api.processing(paying)
        given_back, _ = confirmed(api, hall, 3)
        assert api.delete(f"{BOOKINGS}/{given_back.booking_id}").status_code == 200

        for booking, status in (
            (pending, "PENDING"),
            (overdue, "CANCELLED"),
            (paying, "PROCESSING"),
            (given_back, "CANCELLED"),
        ):
            answer = api.get(ticket(booking, kind))
            assert error_of(answer) == (409, "TICKET_NOT_AVAILABLE")
            assert details_of(answer) == {"status": status}


class TestVerify:
    def test_a_good_ticket_says_for_what_it_is_good_and_not_whose_it_is(self, api: Api, hall: Hall) -> None:
        booking, reference = confirmed(api, hall, 2, 0)
        shown = data_of(api.get(f"{BOOKINGS}/{booking.booking_id}"))

        assert checked(api, reference) == {
            "status": "VALID",
            "ticketReference": reference,
            "bookingId": str(booking.booking_id),
            "eventId": str(hall.event_id),
            "eventName": "A concert",
            "startsAt": data_of(api.get(f"{EVENTS}/{hall.event_id}"))["startsAt"],
            "confirmedAt": shown["confirmedAt"],
            "seats": [
                {"seatId": seat_id, "row": "A", "number": number}
                for seat_id, number in zip(hall.ids(0, 2), (1, 3), strict=True)
            ],
        }
        assert checked(api, reference)["status"] == "VALID", "asking does not use it up"

    def test_a_ticket_given_back_says_so(self, api: Api, hall: Hall) -> None:
        booking, reference = confirmed(api, hall, 0)
        cancelled = data_of(api.delete(f"{BOOKINGS}/{booking.booking_id}"))

        found = checked(api, reference)

        assert (found["status"], found["cancellationReason"]) == ("CANCELLED", "USER_CANCELLED")
        assert found["cancelledAt"] == cancelled["cancelledAt"]
        assert (found["bookingId"], found["eventId"]) == (str(booking.booking_id), str(hall.event_id))
        assert not {"seats", "userId"} & set(found)

    def test_a_ticket_of_a_cancelled_event_is_no_good_at_once(self, api: Api, hall: Hall) -> None:
        booking, reference = confirmed(api, hall, 0)
        command = CancelEvent(event_id=hall.event_id, reason="flood", administrator=ROOT, correlation_id="c")
        close_event(command, store=api.store)

        found = checked(api, reference)

        assert data_of(api.get(f"{BOOKINGS}/{booking.booking_id}"))["status"] == "CONFIRMED", "the worker ends it"
        assert (found["status"], found["cancellationReason"]) == ("CANCELLED", "EVENT_CANCELLED")
        assert found["cancelledAt"].endswith("Z")

    def test_typed_from_paper_it_is_the_same_ticket(self, api: Api, hall: Hall) -> None:
        _, reference = confirmed(api, hall, 0)
        typed = "-".join(reference[start : start + 4] for start in range(0, 28, 4)).lower()

        for text in (typed, typed.replace("0", "o").replace("1", "l"), f" {typed.replace('-', ' ')}\n"):
            assert checked(api, text)["ticketReference"] == reference

    def test_what_was_never_a_ticket_is_unknown(self, api: Api, hall: Hall) -> None:
        booking, reference = confirmed(api, hall, 0)
        other = "0" if reference[-1] != "0" else "1"
        texts = [
            *(reference[:-1] + other, reference[:-1], reference + other, ""),
            *("https://example.com/win", str(booking.booking_id), "\0" * 28, "é" * 28, "U" * 28, "x" * 60_000),
        ]

        assert [checked(api, text) for text in texts] == [{"status": "UNKNOWN"}] * len(texts)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            *((raw, "body") for raw in (b"", b"null", b"[]", b'"x"', b"{", b"\xff", b"1" * 5000, b"[" * 5000)),
            *(({"ticketReference": given}, "ticketReference") for given in NO_TEXTS),
            ({}, "ticketReference"),
            ({"ticketReference": "x", "eventId": "y"}, "eventId"),
            (b'{"ticketReference":"x","ticketReference":"y"}', "body"),
            (b'{"ticketReference":"\\ud800"}', "body"),
        ],
    )
    def test_refuses_a_body_of_any_other_shape(self, api: Api, body: Any, field: str) -> None:
        answer = verify(api, body)

        assert error_of(answer) == (400, "VALIDATION_FAILED")
        assert [each["field"] for each in details_of(answer)["fields"]] == [field]

    def test_is_for_those_who_may(self, api: Api, hall: Hall) -> None:
        _, reference = confirmed(api, hall, 0)
        body = {"ticketReference": reference}

        assert verify(api, body, "booking:verify", "booking:admin").status_code == 200
        for refused in (api.post(VERIFY, body), verify(api, b"nonsense", "booking:admin", "verify")):
            assert error_of(refused) == (403, "FORBIDDEN")
        assert error_of(api.post(VERIFY, body, user=None)) == (401, "UNAUTHENTICATED")
        assert error_of(api.get(VERIFY)) == (405, "METHOD_NOT_ALLOWED")
        assert error_of(verify(api, b" " * (64 * 1024 + 1))) == (413, "PAYLOAD_TOO_LARGE")

    def test_an_idempotency_key_brings_back_no_answer_of_before(self, api: Api, hall: Hall) -> None:
        booking, reference = confirmed(api, hall, 0)
        token = api.issuer.sign(ROOT, ["booking:verify"])
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
        body = {"ticketReference": reference}

        before = data_of(api.post(VERIFY, body, user=None, headers=headers))
        api.delete(f"{BOOKINGS}/{booking.booking_id}")
        after = data_of(api.post(VERIFY, body, user=None, headers=headers))

        assert (before["status"], after["status"]) == ("VALID", "CANCELLED")

    def test_the_log_never_holds_a_reference(
        self, api: Api, hall: Hall, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        booking, reference = confirmed(api, hall, 0)
        capfd.readouterr()
        api.get(ticket(booking, "svg"))
        checked(api, reference)

        out, err = capfd.readouterr()
        assert str(booking.booking_id) in out + err + caplog.text, "the requests are logged"
        assert reference not in out + err + caplog.text
