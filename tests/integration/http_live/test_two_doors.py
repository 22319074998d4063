"""The same requests over sockets: to a service that reserves in groups, and to one that sends all through Flask."""

import socket
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from booking_dev.tokens import DevTokens
from tests.support.doors import Answer, comparable, outcome_of
from tests.support.jwks import Jwks
from tests.support.live import BOOKINGS, Live
from tests.support.postgres.stage import Stage
from tests.support.reservation_requests import Made, World, groups_of, requests

AT_ONCE = 8


def over_socket(port: int, headers: dict[str, str], body: bytes) -> Answer:
    """The answer as it came, on a connection of its own. A byte that is not ASCII is sent for its sign."""
    lines = [f"POST {BOOKINGS} HTTP/1.1", "host: localhost", "connection: close", f"content-length: {len(body)}"]
    lines += [f"{name}: {text}" for name, text in headers.items()]
    head = "\r\n".join(lines).replace("\ufffd", "\xff").encode("latin-1")
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head + b"\r\n\r\n" + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    shown, _, written = answer.partition(b"\r\n\r\n")
    first, *more = shown.decode("latin-1").split("\r\n")
    pairs = [line.partition(": ")[::2] for line in more]
    return Answer(int(first.split(" ")[1]), [(name, text) for name, text in pairs], written)


@pytest.fixture
def services(stage: Stage, tokens: DevTokens, jwks: Jwks) -> Iterator[tuple[int, int]]:
    """The ports of a service without groups, and of one with groups, over the same database."""
    with ExitStack() as running:
        lives = [running.enter_context(Live.over(stage, tokens, jwks, BOOKING_GROUP_SIZE=size)) for size in ("1", "32")]
        yield lives[0].port, lives[1].port


def is_sent_as_it_is(made: Made) -> bool:
    """Whether no client or server on the way does something about the request, like an interim response."""
    return "expect" not in made.headers


@pytest.mark.slow("two services and 400 requests to each")
def test_groups_and_flask_answer_alike_over_sockets(stage: Stage, tokens: DevTokens, services: tuple[int, int]) -> None:
    worlds = [World(word, stage.store, tokens) for word in ("aaaaaaaa", "bbbbbbbb")]
    for world in worlds:
        world.set_up()
    outcomes: Counter[str] = Counter()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for group in groups_of(AT_ONCE, filter(is_sent_as_it_is, requests(4, 400))):
            answers = [
                list(pool.map(lambda made, port=port, world=world: over_socket(port, *world.request(made)), group))
                for port, world in zip(services, worlds, strict=True)
            ]
            for made, routed, early in zip(group, *answers, strict=True):
                assert comparable(worlds[1], made, early) == comparable(worlds[0], made, routed), made
                outcomes[outcome_of(routed)] += 1

    assert outcomes.keys() >= {"CREATED", "REPLAYED", "SEAT_ALREADY_RESERVED", "VALIDATION_FAILED", "UNAUTHENTICATED"}
    assert groups_on(services[1]) > 0
    assert groups_on(services[0]) == 0


def groups_on(port: int) -> float:
    """How many groups a service has run, all its processes together."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("booking_group_size_count"))
