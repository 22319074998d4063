"""Signals: a request to stop, and before a program is ready an interruption."""

import signal

import pytest

from booking_workers.stop_signals import StopSignals

BOTH = (signal.SIGTERM, signal.SIGINT)


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_requests_a_stop(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in BOTH]
    with StopSignals() as signals:
        assert signals.should_continue()
        signal.raise_signal(number)
        assert not signals.should_continue()
    assert [signal.getsignal(each) for each in BOTH] == before


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_in_the_start_interrupts_it_once(number: signal.Signals) -> None:
    with StopSignals() as signals:
        with pytest.raises(KeyboardInterrupt), signals.interrupting():
            signal.raise_signal(number)
        assert signals.should_continue()
        signal.raise_signal(number)  # during the clean-up
        assert not signals.should_continue()


def test_a_start_without_a_signal_ends_with_requests() -> None:
    with StopSignals() as signals:
        with signals.interrupting():
            pass
        signal.raise_signal(signal.SIGINT)
        assert not signals.should_continue()


def test_a_start_that_fails_ends_with_requests() -> None:
    with StopSignals() as signals:
        with pytest.raises(ValueError, match="port"), signals.interrupting():
            raise ValueError("port")
        signal.raise_signal(signal.SIGTERM)
        assert not signals.should_continue()
