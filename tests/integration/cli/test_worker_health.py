"""BOOKING_WORKER_PORT: what `booking worker` says of itself to those who watch it."""

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from booking_core.application import reserve
from booking_core.domain.commands import Reserve
from booking_core.domain.values import SaleStatus, Seat, Terms, TicketedEvent
from booking_core.ports.store import Store
from booking_memory.adapter import create_store
from booking_service.catalog_file import LoadedEvent, load_event
from booking_workers.health import serve_health
from booking_workers.jobs import Job, always, run_together
from booking_workers.maintenance import ExpiryJob
from tests.support.postgres.fixtures import database_name
from tests.support.processes import booking, free_port, running_booking, wait_until

PUBLISHED = "booking_events_published_total"


def get(port: int, path: str, patience: float = 10) -> tuple[int, str]:
    """Status and body; 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=patience) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()
    except OSError:
        return 0, ""


def figures(port: int) -> dict[str, float]:
    lines = [line for line in get(port, "/metrics")[1].splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def hold_overdue(store: Store) -> None:
    """A booking of two seats whose time to pay is over already."""
    event = TicketedEvent(
        event_id=uuid4(),
        name="A concert",
        starts_at=datetime.now(UTC) + timedelta(days=40),
        status=SaleStatus.ON_SALE,
        currency="USD",
    )
    ids = (UUID(int=1), UUID(int=2))
    seats = [Seat(seat_id=seat_id, row="A", number=seat_id.int, price=Decimal(75)) for seat_id in ids]
    load_event(LoadedEvent(event, seats), store=store)
    command = Reserve(user_id="ann", event_id=event.event_id, seat_ids=ids, correlation_id="corr")
    reserve(command, store=store, terms=Terms(payment_window=timedelta(microseconds=1)))


@contextmanager
def unreachable(database_url: str, postgres_url: str) -> Iterator[None]:
    """Nobody gets into the database_url, and those who were there are thrown out."""
    name = database_name(database_url)
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        try:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            yield
        finally:
            admin.execute(allow.format(sql.Identifier(name), sql.SQL("true")))


def test_it_tells_what_the_jobs_have_done_and_stops_with_them(store: Store, database_url: str) -> None:
    hold_overdue(store)
    port = free_port()

    with running_booking(database_url, "worker", BOOKING_WORKER_PORT=str(port)) as process:
        # The hold's own event, and the two of its end.
        wait_until(lambda: figures(port).get(PUBLISHED) == 3, process)
        seen = figures(port)
        answers = {path: get(port, path) for path in ("/healthz", "/readyz?x=y", "/else")}
        process.terminate()
        _, err = process.communicate(timeout=20)

    assert process.returncode == 0, err
    assert json.loads(err.splitlines()[-1])["event"] == "worker.stopped"
    assert get(port, "/healthz") == (0, "")
    assert (seen["booking_bookings_expired_total"], seen["booking_seats_released_total"]) == (1, 2)
    assert seen['booking_messages_consumed_total{outcome="dead"}'] == 0
    assert seen["process_resident_memory_bytes"] > 0
    assert {path: status for path, (status, _) in answers.items()} == {
        "/healthz": 200,
        "/readyz?x=y": 200,
        "/else": 404,
    }
    assert json.loads(answers["/healthz"][1]) == {"success": True, "data": {"status": "ALIVE"}}
    assert json.loads(answers["/else"][1])["error"]["code"] == "NOT_FOUND"


def test_without_a_database_it_is_alive_and_not_ready(database_url: str, postgres_url: str) -> None:
    port = free_port()
    with running_booking(
        database_url, "worker", BOOKING_WORKER_PORT=str(port), BOOKING_LOG_LEVEL="CRITICAL"
    ) as process:
        wait_until(lambda: get(port, "/readyz")[0] == 200, process)

        with unreachable(database_url, postgres_url):
            wait_until(lambda: get(port, "/readyz")[0] == 503, process)
            assert json.loads(get(port, "/readyz")[1])["error"]["code"] == "SERVICE_BUSY"
            assert get(port, "/healthz")[0] == 200

        wait_until(lambda: get(port, "/readyz")[0] == 200, process)


def test_a_taken_port_is_one_line(database_url: str) -> None:
    with socket.create_server(("", 0)) as other:
        port = other.getsockname()[1]
        refused = booking(database_url, "worker", code=1, BOOKING_WORKER_PORT=str(port))

    assert refused.stderr == f"error: BOOKING_WORKER_PORT: cannot listen on 0.0.0.0:{port}: Address already in use\n"


def test_a_kubelet_may_ask_by_ipv6_or_ipv4() -> None:
    store, port = create_store({}), free_port()
    with serve_health(port, store, always):
        for host in ("127.0.0.1", "[::1]"):
            with urllib.request.urlopen(f"http://{host}:{port}/readyz", timeout=10) as answer:
                assert answer.status == 200
    store.close()


class Mortal(ExpiryJob):
    """Ends its thread, as no job should."""

    name = "mortal"

    def run_once(self, should_continue: object = always) -> bool:
        raise SystemExit


def health_while_running(jobs: list[Job], store: Store, *, goes_on: bool) -> tuple[int, str]:
    """What /healthz says once the thread of the first job has ended."""
    port, stop, ended = free_port(), threading.Event(), threading.Event()
    with serve_health(port, store, lambda: goes_on) as on_start:

        def watch(threads: object) -> None:
            assert isinstance(threads, list)
            on_start(threads)
            threads[0].join(10)
            ended.set()

        running = threading.Thread(target=run_together, args=(jobs, stop), kwargs={"on_start": watch})
        running.start()
        assert ended.wait(10)
        answer = get(port, "/healthz")
        stop.set()
        running.join(60)
    return answer


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # that is the point
def test_a_job_that_has_died_is_no_health_unless_the_worker_stops() -> None:
    store = create_store({})
    jobs: list[Job] = [Mortal(store), ExpiryJob(store)]

    status, body = health_while_running(jobs, store, goes_on=True)

    assert (status, json.loads(body)["error"]["message"]) == (503, "Ended unasked: mortal")
    assert health_while_running(jobs, store, goes_on=False)[0] == 200


def test_a_silent_caller_keeps_nobody_waiting() -> None:
    store, port = create_store({}), free_port()
    with serve_health(port, store, always), socket.create_connection(("127.0.0.1", port)):
        assert get(port, "/healthz", 3)[0] == 200  # and not when the silent one is given up, after 5 s
