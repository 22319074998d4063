"""The workers as a library: relay, consumer, jobs, replays. May import booking_core and booking_telemetry.

A service runs them in a process of its own, with any store and event bus (docs/how-to/run-the-workers.md). The names
below are imported when they are first used: `metrics_renderer` needs prometheus_client and `MessageSpans` needs
OpenTelemetry; the others need neither.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from booking_workers.backlogs import BusSampler, RefundSampler, StoreSampler
    from booking_workers.consumer import Consumer, MessageHandler, MessageOutcome
    from booking_workers.dead_letters import DeadLetters
    from booking_workers.health import serve_health
    from booking_workers.jobs import InstrumentedJob, Job, ShouldContinue, keep_running, run_together
    from booking_workers.maintenance import CancellationJob, ExpiryJob, RetentionJob
    from booking_workers.message_spans import MessageSpans
    from booking_workers.metrics import metrics_renderer
    from booking_workers.relay import Publisher, Relay, message_of
    from booking_workers.replay_dead_letters import DeadLetterReplay, replay_group
    from booking_workers.replay_events import replay_events
    from booking_workers.stop_signals import StopSignals

__all__ = [
    "BusSampler",
    "CancellationJob",
    "Consumer",
    "DeadLetterReplay",
    "DeadLetters",
    "ExpiryJob",
    "InstrumentedJob",
    "Job",
    "MessageHandler",
    "MessageOutcome",
    "MessageSpans",
    "Publisher",
    "RefundSampler",
    "Relay",
    "RetentionJob",
    "ShouldContinue",
    "StopSignals",
    "StoreSampler",
    "keep_running",
    "message_of",
    "metrics_renderer",
    "replay_events",
    "replay_group",
    "run_together",
    "serve_health",
]

if not TYPE_CHECKING:  # else a type checker would accept any name
    _MODULES = {
        "backlogs": ("BusSampler", "RefundSampler", "StoreSampler"),
        "consumer": ("Consumer", "MessageHandler", "MessageOutcome"),
        "dead_letters": ("DeadLetters",),
        "health": ("serve_health",),
        "jobs": ("InstrumentedJob", "Job", "ShouldContinue", "keep_running", "run_together"),
        "maintenance": ("CancellationJob", "ExpiryJob", "RetentionJob"),
        "message_spans": ("MessageSpans",),
        "metrics": ("metrics_renderer",),
        "relay": ("Publisher", "Relay", "message_of"),
        "replay_dead_letters": ("DeadLetterReplay", "replay_group"),
        "replay_events": ("replay_events",),
        "stop_signals": ("StopSignals",),
    }
    _MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used."""
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
