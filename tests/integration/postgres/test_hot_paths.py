"""The files that a reservation and a payment pass through: few, and as docs/architecture.md draws them."""

import asyncio
import json
import re
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from booking_api.app import create_app
from booking_api.auth.keys import FixedKeys
from booking_api.auth.verifier import TokenVerifier
from booking_api.service import Service
from booking_core import CatalogCache, Terms
from booking_core.ports import Message
from booking_dev.tokens import DevTokens
from booking_memory.bus import MemoryEventBus
from booking_server.gateway import Gateway
from booking_server.gateway.admission_queue import AdmissionLimits
from booking_server.gateway.groups import GroupLimits, GroupSetUp
from booking_workers import Consumer, DeadLetters
from tests.support.executed_files import ExecutedFiles
from tests.support.postgres.stage import Stage
from tests.support.rsgi import Headers, Protocol, Scope

PAGE: Final = Path(__file__).parents[3] / "docs" / "architecture.md"
ISSUER: Final = "https://issuer.test/"
AUDIENCE: Final = "booking"
DEFAULT_LIMITS: Final = AdmissionLimits()
MOST_FOR_A_RESERVATION: Final = 22
MOST_FOR_A_GROUP: Final = 25
MOST_FOR_A_PAYMENT: Final = 16


def drawn(heading: str) -> list[str]:
    """The files in the picture under the heading, below `src`, sorted."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    picture = section.split("```text\n")[1].split("```")[0]
    files, folder = [], ""
    for line in picture.splitlines():
        if found := re.fullmatch(r"│ src/(\S+)", line):
            folder = found[1]
        elif found := re.match(r"├─ (\S+\.py) ", line):
            files.append(folder + found[1])
    return sorted(files)


def gateway_over(
    stage: Stage, tokens: DevTokens, *, with_groups: bool, limits: AdmissionLimits = DEFAULT_LIMITS
) -> Gateway:
    verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=FixedKeys(tokens.jwks()))
    service = Service(store=stage.store, catalog_cache=CatalogCache(store=stage.store), terms=Terms())
    app = create_app(service, verifier)
    if not with_groups:
        return Gateway(app, 1)
    groups = GroupSetUp(
        reservations=app.gateway_reservations,
        store=stage.store,
        catalog_cache=service.catalog_cache,
        terms=service.terms,
        registry=service.registry,
        limits=GroupLimits(),
    )
    return Gateway(app, 1, groups=groups, limits=limits)


def request_for(stage: Stage, token: str, place: int) -> tuple[Scope, Protocol]:
    """The request that reserves the seat at that place."""
    wanted = {"eventId": str(stage.fixture.event.event_id), "seatIds": [str(each) for each in stage.fixture.ids(place)]}
    body = json.dumps(wanted).encode()
    headers = Headers(
        {"content-length": str(len(body)), "content-type": "application/json", "authorization": f"Bearer {token}"}
    )
    return Scope(query_string="", headers=headers), Protocol(body)


@pytest.mark.leaves_threads  # the gateway's pool ends with its process
@pytest.mark.parametrize(
    ("with_groups", "heading", "most"),
    [
        (True, "The way of a reservation in a group", MOST_FOR_A_GROUP),
        (False, "The way of a reservation that goes alone", MOST_FOR_A_RESERVATION),
    ],
)
def test_a_warm_reservation_passes_through_the_files_of_the_picture(
    stage: Stage, tmp_path: Path, with_groups: bool, heading: str, most: int
) -> None:
    tokens, executed = DevTokens(tmp_path, ISSUER, AUDIENCE), ExecutedFiles()
    token = tokens.sign("ann")

    requests = [request_for(stage, token, place) for place in (0, 1, 2)]

    async def send_all() -> None:
        gateway = gateway_over(stage, tokens, with_groups=with_groups)
        gateway.__rsgi_init__(asyncio.get_running_loop())
        for scope, protocol in requests:
            with executed.recording(protocol is requests[-1][1]):
                await gateway.__rsgi__(scope, protocol)
        gateway.__rsgi_del__(asyncio.get_running_loop())

    with executed.tracing():
        asyncio.run(send_all())

    assert [protocol.responses[0][0] for _, protocol in requests] == [201, 201, 201]
    assert executed.files == drawn(heading)
    assert len(executed.files) <= most


def test_a_payment_passes_through_the_files_of_the_picture(stage: Stage) -> None:
    executed, bus = ExecutedFiles(), MemoryEventBus()
    consumer = Consumer(stage.store, bus, topic="p", group="g", dead_letters=DeadLetters(bus, "d"), terms=Terms())
    with executed.tracing():
        for place in (0, 1):
            booking = stage.fixture.reserve(place)
            payload = {
                "bookingId": str(booking.booking_id),
                "paymentId": "p",
                "amount": float(booking.total.amount),
                "currency": booking.total.currency,
            }
            envelope = {
                "eventId": str(uuid4()),
                "eventType": "payment.success",
                "timestamp": "2026-01-01T00:00:00Z",
                "version": "1.0",
                "correlationId": "c",
                "payload": payload,
            }
            bus.publish("p", [Message(key=str(booking.booking_id).encode(), value=json.dumps(envelope).encode())])
            with executed.recording(place == 1):
                consumer.run_once()

    assert consumer.counts["applied"] == 2
    assert executed.files == drawn("The way of a payment")
    assert len(executed.files) <= MOST_FOR_A_PAYMENT
