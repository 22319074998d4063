"""What an answer costs to one of a thousand who want the same seat: CPU of the gateway, without sockets."""

import asyncio
import time
from pathlib import Path
from typing import Final

import pytest
import uvloop

from booking_dev.tokens import DevTokens
from booking_server.gateway import Gateway
from booking_server.gateway.admission_queue import AdmissionLimits
from tests.integration.postgres.test_hot_paths import AUDIENCE, ISSUER, gateway_over, request_for
from tests.support.postgres.stage import Stage

_CROWD: Final = 1000
_ROUNDS: Final = 4
_PATIENT: Final = AdmissionLimits(queue_timeout=60.0, follower_timeout=60.0)
_MOST: Final = 200e-6
"""Seconds of CPU for each answer."""


@pytest.mark.leaves_threads  # the gateway's pool ends with its process
def test_a_followers_answer_costs_less_than_200_microseconds(stage: Stage, tmp_path: Path) -> None:
    stage.set_up(seats=_ROUNDS + 1)
    tokens = DevTokens(tmp_path, ISSUER, AUDIENCE)
    crowd = [tokens.sign(f"fan-{number}") for number in range(_CROWD)]
    seconds: list[float] = []

    async def rush(gateway: Gateway, place: int) -> None:
        requests = [request_for(stage, token, place) for token in crowd]
        began = time.process_time()
        await asyncio.gather(*(gateway.__rsgi__(scope, protocol) for scope, protocol in requests))
        seconds.append((time.process_time() - began) / _CROWD)
        statuses = sorted(protocol.responses[0][0] for _, protocol in requests)
        assert statuses == [201] + [409] * (_CROWD - 1)

    async def rushes() -> None:
        gateway = gateway_over(stage, tokens, with_groups=True, limits=_PATIENT)
        gateway.__rsgi_init__(asyncio.get_running_loop())
        for place in range(_ROUNDS + 1):
            await rush(gateway, place)
        gateway.__rsgi_del__(asyncio.get_running_loop())

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(rushes())

    print([f"{each * 1e6:.0f} us" for each in seconds])
    assert min(seconds[1:]) < _MOST  # the first round verifies the tokens
