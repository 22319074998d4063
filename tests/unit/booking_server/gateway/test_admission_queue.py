"""Which requests run, which wait and which are rejected, over a thread pool that the test drives."""

import asyncio

import pytest

from booking_api.gateway_responses import GatewayRequest, GatewayResponse
from booking_api.http.flask_app import KNOWN_TAKEN
from booking_server.gateway.admission_control import AdmissionControl
from booking_server.gateway.admission_queue import AdmissionLimits
from booking_server.gateway.coalescing import PendingRequest, Priority
from booking_server.gateway.follower_notification import NotificationLimits
from tests.support.rsgi import Scope
from tests.unit.booking_server.gateway.admission_fixture import (
    DEFAULT_LIMITS,
    OTHER,
    SEAT,
    QueueFixture,
    VirtualClock,
    run,
)


def test_a_request_is_answered() -> None:
    async def test(fixture: QueueFixture) -> None:
        answer = fixture.admit()
        await fixture.pool.run_one()

        assert await answer == (409, [], b"answered")

    run(test)


def test_one_leader_for_a_seat_decides_for_all_followers() -> None:
    async def test(fixture: QueueFixture) -> None:
        fixture.application.found = frozenset({SEAT})
        first, *others = [fixture.admit(SEAT) for _ in range(40)]
        side = fixture.admit(OTHER)
        assert len(fixture.pool.tasks) == 2
        await fixture.pool.run_all()

        assert [(await each)[2] for each in (first, side)] == [b"answered"] * 2
        assert {(await each)[2] for each in others} == {b"told"}
        assert fixture.application.gateway_responses.told == [frozenset({SEAT})] * 39
        assert len(fixture.application.served) == 2

    run(test)


def test_followers_with_new_tokens_are_answered_after_a_query() -> None:
    async def test(fixture: QueueFixture) -> None:
        fixture.application.found = frozenset({SEAT})
        fixture.application.gateway_responses.knows = False
        _, *others = [fixture.admit(SEAT) for _ in range(3)]
        await fixture.run_until(3)

        assert [(await each)[2] for each in others] == [b"told"] * 2
        assert fixture.application.gateway_responses.asked == [2]

    run(test)


def test_followers_that_a_query_leaves_open_reach_the_application() -> None:
    async def test(fixture: QueueFixture) -> None:
        fixture.application.found = frozenset({SEAT})
        fixture.application.gateway_responses.knows = False
        fixture.application.gateway_responses.kept = {""}
        answers = [fixture.admit(SEAT) for _ in range(3)]
        await fixture.run_until(3)

        assert [(await each)[2] for each in answers] == [b"answered"] * 3
        known = frozenset({SEAT})
        assert [environ[KNOWN_TAKEN] for environ in fixture.application.served] == [frozenset(), known, known]

    run(test)


def test_a_deferred_leader_starts_after_the_notifications() -> None:
    clock = VirtualClock()
    limits = AdmissionLimits(queue_timeout=600.0, follower_timeout=600.0, deferral_timeout=600.0)

    async def test(fixture: QueueFixture) -> None:
        fixture.application.found = frozenset({SEAT})
        followers = [fixture.admit(SEAT) for _ in range(20)]
        newcomers = [fixture.admit(SEAT, ago=-0.2) for _ in range(3)]  # after the leader has started
        clock.step = 0.05  # the pause after the first batch is three times as long
        await fixture.pool.run_one()

        assert sum(each.done() for each in followers) == 1 + limits.notification.together
        assert fixture.pool.tasks == []
        clock.step = 0.0
        await fixture.run_until(23)
        assert [(await each)[0] for each in (*followers, *newcomers)] == [409] * 23
        assert len(fixture.application.served) == 2

    run(test, limits, clock)


def test_a_deferral_times_out() -> None:
    clock = VirtualClock()

    async def test(fixture: QueueFixture) -> None:
        fixture.application.found = frozenset({SEAT})
        for _ in range(20):
            fixture.admit(SEAT)
        newcomer = fixture.admit(SEAT, ago=-0.01)
        clock.step = 0.001
        await fixture.pool.run_one()
        while not fixture.pool.tasks:
            await asyncio.sleep(0.001)
        await fixture.pool.run_one()

        assert (await newcomer)[2] == b"answered"

    long_pauses = NotificationLimits(pause_factor=1_000_000.0)
    run(test, AdmissionLimits(deferral_timeout=0.01, check_interval=0.001, notification=long_pauses), clock)


def test_followers_of_a_busy_leader_are_rejected_with_it() -> None:
    async def test(fixture: QueueFixture) -> None:
        fixture.application.status, fixture.application.held_up = "503 Service Unavailable", True
        answers = [fixture.admit(SEAT) for _ in range(3)]
        await fixture.pool.run_one()

        assert [(await each)[0] for each in answers] == [503, 503, 503]
        assert len(fixture.application.served) == 1
        assert fixture.rejected == 2

    run(test)


def test_a_rejection_for_another_reason_decides_for_no_follower() -> None:
    async def test(fixture: QueueFixture) -> None:
        fixture.application.status = "503 Service Unavailable"
        answers = [fixture.admit(SEAT) for _ in range(3)]
        await fixture.pool.run_all()

        assert len(fixture.application.served) == len(answers)

    run(test)


def test_a_response_that_fails_does_not_affect_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(fixture: QueueFixture) -> None:
        fixture.application.found = frozenset({SEAT})
        asked = []

        def failing(*_: object) -> GatewayResponse:
            asked.append(1)
            if len(asked) == 1:
                raise KeyError("a bug")
            return 409, [], b"told"

        monkeypatch.setattr(fixture.application.gateway_responses, "taken", failing)
        answers = [fixture.admit(SEAT) for _ in range(20)]
        await fixture.pool.run_all()

        assert [(await each)[0] for each in answers] == [409, 500, *[409] * 18]

    run(test)


def test_requests_of_one_customer_run_one_by_one() -> None:
    async def test(fixture: QueueFixture) -> None:
        fixture.admit(SEAT, user="ann")
        second = fixture.admit(OTHER, user="ann")
        assert len(fixture.pool.tasks) == 1
        await fixture.pool.run_all()

        assert second.done()
        assert fixture.application.served[1][KNOWN_TAKEN] == frozenset()

    run(test)


def test_a_request_past_its_queue_timeout_is_not_started() -> None:
    async def test(fixture: QueueFixture) -> None:
        for _ in range(2):
            fixture.admit()
        late, in_time = fixture.admit(SEAT, ago=DEFAULT_LIMITS.queue_timeout), fixture.admit(SEAT)
        await fixture.pool.run_all()

        status, headers, body = await late
        assert (status, b"SERVICE_BUSY" in body) == (503, True)
        assert dict(headers)["Retry-After"] in {"1", "2"}
        assert dict(headers)["X-Correlation-Id"] == "c-1"
        assert (await in_time)[0] == 409
        assert len(fixture.application.served) == 3

    run(test)


def test_requests_expire_while_all_threads_are_busy() -> None:
    async def test(fixture: QueueFixture) -> None:
        answers = [fixture.admit(SEAT), fixture.admit(), fixture.admit(), fixture.admit(SEAT)]

        assert (await asyncio.wait_for(answers[2], 5))[0] == 503
        assert (await asyncio.wait_for(answers[3], 5))[0] == 503
        assert not answers[0].done()
        await fixture.pool.run_all()
        assert (await answers[0])[0] == (await answers[1])[0] == 409

    run(test, AdmissionLimits(queue_timeout=0.05, follower_timeout=0.05, check_interval=0.001))


REQUEST = GatewayRequest("POST", {"x-correlation-id": "c-1"}, 0.0)


def newcomer(priority: Priority = Priority.WRITE, client: str = "10.0.0.7:1") -> PendingRequest:
    return PendingRequest(REQUEST, Scope(client=client), b"", priority=priority)


def test_a_request_is_rejected_when_its_estimated_wait_is_too_long() -> None:
    async def test(fixture: QueueFixture) -> None:
        for _ in range(100):
            fixture.admit(ago=0.1)

        accepted = []
        for share in (0.99, 1.01):
            fixture.rate.seconds_per_request = fixture.control.limits.longest_estimated_wait / 100 * share
            accepted.append(fixture.queue.accepts(newcomer()))

        assert accepted == [True, False]
        assert fixture.queue.accepts(newcomer())  # it tries again at once
        assert not fixture.queue.accepts(newcomer(client="10.0.0.7:2"))
        await fixture.pool.run_all()

    run(test)


def test_the_estimate_counts_only_requests_of_a_priority_as_high() -> None:
    async def test(fixture: QueueFixture) -> None:
        for _ in range(102):
            fixture.admit(ago=0.1)
        fixture.rate.seconds_per_request = 0.005

        assert [fixture.queue.accepts(newcomer(each, f"10.0.0.7:{each}")) for each in Priority] == [True, False, False]
        await fixture.pool.run_all()

    run(test)


def test_a_queue_that_is_empty_does_not_consult_admission_control(monkeypatch: pytest.MonkeyPatch) -> None:
    consulted: list[object] = []
    for name in ("admits", "completed", "answered"):
        monkeypatch.setattr(AdmissionControl, name, lambda *_, **__: consulted.append(1))

    async def test(fixture: QueueFixture) -> None:
        for _ in range(3):
            assert fixture.queue.accepts(newcomer())
            fixture.admit(SEAT)
            await fixture.pool.run_one()

    run(test)
    assert consulted == []


def test_requests_start_in_the_order_of_their_priority() -> None:
    async def test(fixture: QueueFixture) -> None:
        for _ in range(2):
            fixture.admit(path="/busy")
        for path, priority in (("/list", Priority.LIST), ("/write", Priority.WRITE), ("/one", Priority.ONE_BOOKING)):
            fixture.admit(path=path, priority=priority)
        await fixture.pool.run_all()

        paths = [environ["PATH_INFO"] for environ in fixture.application.served]
        assert paths == ["/busy", "/busy", "/one", "/write", "/list"]

    run(test)


def test_the_oldest_request_starts_in_every_eighth_turn() -> None:
    async def test(fixture: QueueFixture) -> None:
        for _ in range(2):
            fixture.admit(path="/busy")
        fixture.admit(path="/list", priority=Priority.LIST, ago=0.01)
        for _ in range(20):
            fixture.admit(path="/write")
        await fixture.pool.run_all()

        assert [environ["PATH_INFO"] for environ in fixture.application.served].index("/list") == 7

    run(test)


@pytest.mark.parametrize(
    ("method", "path", "priority"),
    [
        ("DELETE", "/api/v1/bookings/1", Priority.ONE_BOOKING),
        ("GET", "/api/v1/bookings/1", Priority.ONE_BOOKING),
        ("POST", "/api/v1/bookings", Priority.WRITE),
        ("GET", "/api/v1/bookings", Priority.LIST),
        ("GET", "/api/v1/events/1/seats", Priority.LIST),
        ("HEAD", "/api/v1/events", Priority.LIST),
    ],
)
def test_the_priority_of_a_request(method: str, path: str, priority: Priority) -> None:
    assert Priority.of(method, path) is priority


def test_a_rejection_is_counted_and_has_retry_after() -> None:
    async def test(fixture: QueueFixture) -> None:
        status, headers, body = fixture.queue.reject(PendingRequest(REQUEST, Scope(), b""))

        assert (status, b"SERVICE_BUSY" in body) == (503, True)
        assert dict(headers)["Retry-After"] in {"1", "2"}
        assert dict(headers)["X-Correlation-Id"] == "c-1"
        assert fixture.rejected == 1

    run(test)


def test_a_failing_application_leaves_its_followers_undecided() -> None:
    async def test(fixture: QueueFixture) -> None:
        fixture.application.broken = True
        first, second = fixture.admit(SEAT), fixture.admit(SEAT)
        await fixture.pool.run_one()
        fixture.application.broken = False
        await fixture.pool.run_all()

        assert ((await first)[0], (await second)[0]) == (500, 409)

    run(test, AdmissionLimits(queue_timeout=60.0))  # writing the traceback takes its time


def test_a_client_that_disconnected_is_ignored() -> None:
    async def test(fixture: QueueFixture) -> None:
        gone, waiting = fixture.admit(SEAT), fixture.admit(SEAT)
        gone.cancel()
        await fixture.pool.run_all()

        assert (await waiting)[0] == 409

    run(test)
