"""A booking from the first click to the refund, in the browser."""

import re

from playwright.sync_api import Route, expect

from tests.integration.browser.seat_map import OpenMap, hold_elsewhere
from tests.support.dev import Dev


def test_pick_hold_pay_ticket_cancel(open_map: OpenMap) -> None:
    page = open_map("paula")
    booking_id = page.hold("Row A, seat 1", "Row A, seat 2")
    page.expect_heading("2 seats held for you")
    expect(page.timer).to_have_text(re.compile(r"^(10:00|9:5\d)$"))
    page.expect_seat("Row A, seat 1", "booked by you")
    assert page.booking(booking_id)["status"] == "PENDING"

    page.press("Pay 96.00 EUR")
    page.expect_heading("Your ticket")
    booking = page.booking(booking_id)
    assert booking["status"] == "CONFIRMED"
    expect(page.panel).to_contain_text(booking["ticketReference"])
    code = page.page.get_by_role("img", name=f"QR code of ticket {booking['ticketReference']}")
    expect(code).to_be_visible()
    assert code.evaluate("async (img) => { await img.decode(); return img.naturalWidth }") > 0

    page.cancel_ticket("96.00 EUR will be paid back.")
    page.expect_heading("Booking cancelled")
    page.expect_seat("Row A, seat 1", "available")
    expect(page.panel).to_contain_text("Refund of 96.00 EUR: on its way (you cancelled in time)")
    expect(page.panel).to_contain_text("96.00 EUR: paid back")


def test_a_ticket_without_a_picture_is_still_a_ticket(open_map: OpenMap) -> None:
    page = open_map("perla")
    page.page.route("**/ticket.svg", lambda route: route.fulfill(status=404, body=""))
    booking_id = page.hold("Row A, seat 5")
    page.press("Pay 48.00 EUR")
    expect(page.page.get_by_text("its reference is just as good")).to_be_visible()
    expect(page.panel).to_contain_text(page.booking(booking_id)["ticketReference"])


def test_a_failing_card_gives_the_seats_back(open_map: OpenMap) -> None:
    page = open_map("fiona")
    booking_id = page.hold("Row B, seat 1")
    page.press("Let the card fail")
    page.expect_heading("Payment failed")
    expect(page.panel).to_contain_text("The payment failed")
    assert page.booking(booking_id)["cancellationReason"] == "PAYMENT_FAILED"
    page.expect_seat("Row B, seat 1", "available")


def test_a_slow_bank_is_waited_for_and_can_not_be_cancelled(open_map: OpenMap) -> None:
    page = open_map("sloane")
    booking_id = page.hold("Row C, seat 1")
    page.page.route("**/bookings/my*", lambda route: route.abort())  # the page does not see the bank begin
    page.dev.pay(booking_id, "processing")
    page.dev.booking_when(page.dev.token("sloane"), booking_id, lambda booking: booking["status"] == "PROCESSING")
    page.press("Give the seats back")
    page.expect_notice("The payment is in progress")
    assert page.booking(booking_id)["status"] == "PROCESSING"
    page.page.unroute_all()
    page.expect_heading("The bank is taking its time")
    expect(page.page.get_by_role("button", name=re.compile("Cancel|Give"))).to_have_count(0)
    page.press("Bank says yes")
    page.expect_heading("Your ticket")
    expect(page.page.get_by_role("alert")).to_be_empty()


def test_giving_back_before_paying(open_map: OpenMap) -> None:
    page = open_map("gina")
    page.hold("Row D, seat 1")
    page.press("Give the seats back")
    page.expect_heading("Booking cancelled")
    page.expect_seat("Row D, seat 1", "available")
    page.press("Pick other seats")
    page.expect_heading("Pick your seats")


def test_who_was_slower_is_told_and_the_map_heals(open_map: OpenMap, dev: Dev) -> None:
    page = open_map("hella")
    for place in ("Row F, seat 1", "Row F, seat 2"):
        page.click_seat(place)
    page.page.route("**/seats*", lambda route: route.abort())  # what happens next is not seen coming
    hold_elsewhere(dev, "harry", "Row F, seat 2", "Row F, seat 3")
    page.press("Hold 2 seats")
    page.expect_notice("Somebody was quicker", "Taken: Row F, seat 2", "your other 1 seat")
    page.expect_seat("Row F, seat 2", "held by somebody else")
    page.expect_seat("Row F, seat 1", "picked by you")
    page.page.unroute_all()
    page.expect_seat("Row F, seat 3", "held by somebody else")
    page.press("Hold 1 seat")
    page.expect_heading("1 seat held for you")


def test_ten_seats_are_the_most(open_map: OpenMap) -> None:
    page = open_map("tessa")
    for number in range(1, 12):
        page.click_seat(f"Row G, seat {number}")
    page.expect_notice("Ten seats are the most")
    page.expect_heading("10 seats picked")
    page.expect_seat("Row G, seat 11", "available")
    page.click_seat("Row G, seat 10")
    page.expect_heading("9 seats picked")


def test_more_than_three_unpaid_bookings_are_refused_in_words(open_map: OpenMap, dev: Dev) -> None:
    for number in (1, 2, 3):
        hold_elsewhere(dev, "lena", f"Row H, seat {number}")
    page = open_map("lena")
    page.expect_seat("Row H, seat 3", "booked by you")
    page.click_seat("Row H, seat 4")
    page.press("Hold 1 seat")
    page.expect_notice("You hold as many unpaid bookings as anybody may")
    page.expect_seat("Row H, seat 4", "picked by you")


def test_an_answer_that_got_lost_holds_the_seats_once(open_map: OpenMap) -> None:
    page = open_map("laura")
    page.click_seat("Row I, seat 1")

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    page.page.route("**/bookings", lose, times=1)
    page.page.route("**/bookings/my*", lambda route: route.abort())  # else it would be seen there
    page.page.route("**/seats*", lambda route: route.abort())
    page.press("Hold 1 seat")
    page.expect_notice("The service does not answer", "nothing is done twice")
    page.press("Hold 1 seat")
    page.expect_heading("1 seat held for you")
    page.page.unroute_all()
    expect(page.page.get_by_role("alert")).to_be_empty()
    my = page.dev.call("GET", "/api/v1/bookings/my", token=page.dev.token("laura"))
    assert len(my.data) == 1


def test_a_busy_service_is_told_in_words(open_map: OpenMap) -> None:
    page = open_map("bianca")
    page.click_seat("Row J, seat 1")
    busy = '{"success": false, "error": {"code": "SERVICE_BUSY", "message": "busy", "details": {}}}'
    page.page.route(
        "**/bookings", lambda route: route.fulfill(status=503, headers={"Retry-After": "2"}, body=busy), times=1
    )
    page.press("Hold 1 seat")
    page.expect_notice("Very many people are booking just now", "Try again in 2 seconds")
    page.press("Hold 1 seat")
    page.expect_heading("1 seat held for you")


def test_the_best_seats_are_found(open_map: OpenMap, dev: Dev) -> None:
    page = open_map("berta")
    page.page.get_by_label("Seats together").select_option("3")
    page.page.get_by_label("Price").select_option("36.00 EUR")
    hold_elsewhere(dev, "bruno", "Row E, seat 10")
    page.expect_seat("Row E, seat 10", "held by somebody else")
    page.press("Find seats")
    page.expect_heading("3 seats picked")
    for number in (11, 12, 13):
        page.expect_seat(f"Row E, seat {number}", "picked by you")
