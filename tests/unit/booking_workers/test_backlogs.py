"""Samplers: what they measure is in the metrics' tests; here is what they log."""

from structlog.testing import capture_logs

from booking_core.application import apply_payments
from booking_core.messages.payment_messages import Skipped, parse
from booking_workers.backlogs import RefundSampler
from tests.support.workers import World, payment


def test_refunds_without_an_answer_are_told_of_after_an_hour() -> None:
    world = World()
    late = world.reserve(1)
    world.later(11)
    sampler = RefundSampler(world.store)
    command = parse(payment(late.booking_id, amount=75.0))
    assert not isinstance(command, Skipped)
    apply_payments([command], store=world.store)
    world.later(59)
    with capture_logs() as young:
        sampler.run_once()
    world.later(1)
    with capture_logs() as old:
        sampler.run_once()

    assert young == []
    assert old == [{"event": "refunds.unanswered", "log_level": "warning", "refunds": 1, "oldest_seconds": 3600}]

    answer = parse(payment(late.booking_id, "refund.completed", number=2))
    assert not isinstance(answer, Skipped)
    apply_payments([answer], store=world.store)
    with capture_logs() as answered:
        sampler.run_once()
    assert (answered, sampler.unanswered) == ([], 0)
