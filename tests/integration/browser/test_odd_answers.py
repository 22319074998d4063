"""Answers that come late, in the wrong order, to a stale token, or to a computer whose clock is wrong."""

import re
import time
from contextlib import suppress

from playwright.sync_api import Error, Route, expect

from tests.integration.browser.seat_map import OpenMap, stage_of
from tests.support.dev import Dev


def test_our_own_hold_is_nobody_elses_before_its_answer_is_here(open_map: OpenMap) -> None:
    page = open_map("selma")
    page.click_seat("Row K, seat 20")
    kept: list[Route] = []
    page.page.route("**/bookings/my*", lambda route: route.fulfill(json={"success": True, "data": []}))
    page.page.route("**/bookings", lambda route: kept.append(route))
    with page.page.expect_request("**/bookings"):
        page.press("Hold 1 seat")
    held = kept[0].fetch()
    with page.page.expect_response("**/seats*"):
        pass
    with page.page.expect_response("**/seats*"):  # the one before is taken in now
        pass
    page.expect_seat("Row K, seat 20", "picked by you")
    expect(page.page.get_by_role("alert")).to_be_empty()
    for route in kept:  # on a busy machine the page may have asked again meanwhile
        with suppress(Error):
            route.fulfill(response=held)
    page.expect_heading("1 seat held for you")


def test_a_token_that_is_no_longer_good_is_replaced(open_map: OpenMap) -> None:
    page = open_map("tilda")
    page.page.route("**/seats*", lambda route: route.fulfill(status=401, body="{}"), times=1)
    with page.page.expect_response("**/dev/token") as signed, page.page.expect_response("**/seats*"):
        pass
    assert signed.value.ok
    page.hold("Row L, seat 20")
    expect(page.page.get_by_role("alert")).to_be_empty()


def test_a_clock_that_is_an_hour_ahead_changes_no_countdown(open_map: OpenMap, dev: Dev) -> None:
    page = open_map("uma")
    page.page.clock.install(time=time.time() + 3600)
    page.open(stage_of(dev))
    page.hold("Row L, seat 18")
    expect(page.timer).to_have_text(re.compile(r"^(10:00|9:5\d)$"))
