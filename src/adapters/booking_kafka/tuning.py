"""The client's settings, as they survived brokers that were killed, frozen and restarted (design, section 11)."""

from collections.abc import Mapping
from typing import Any, Final

WINDOW: Final = 500
"""The most messages under way at once: the client's own buffer has no bound."""

PATIENCE_SECONDS: Final = 10.0
"""How long brokers may take to acknowledge a window, before they count as unavailable."""

TURN_SECONDS: Final = 30.0
"""How long one publishing thread waits for another of the same topic."""

POLL_MS: Final = 500
COMMIT_MS: Final = 5000
LOOK_MS: Final = 2000
LEAVE_MS: Final = 2000
CLOSE_SECONDS: Final = 5.0


SILENCE_SECONDS: Final = 10.0
"""After so long without a message, the brokers are asked whether they are still there."""

ANY_CLIENT: Final[Mapping[str, Any]] = {
    "client_id": "booking-core",
    # The newest protocol that is needed; naming it saves the client a round of guessing at every start.
    "api_version": (2, 6),
    # The default of 30 s delays the recovery from an outage by as much.
    "reconnect_backoff_max_ms": 1000,
    # A mistyped name must not become a topic, with one partition.
    "allow_auto_create_topics": False,
}

PRODUCER: Final[Mapping[str, Any]] = {
    **ANY_CLIENT,
    "acks": "all",
    "enable_idempotence": True,
    # Never let the client give up a batch: with idempotence on, it does not deliver again afterwards.
    "delivery_timeout_ms": 2**31 - 1,
    "request_timeout_ms": 10_000,
    "max_block_ms": 5000,
    "linger_ms": 5,
    "batch_size": 131_072,
    "compression_type": "lz4",
}

CONSUMER: Final[Mapping[str, Any]] = {
    **ANY_CLIENT,
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "session_timeout_ms": 10_000,
    "heartbeat_interval_ms": 3000,
    # Between two polls; who takes longer loses its partitions to the others.
    "max_poll_interval_ms": 300_000,
    "max_poll_records": 500,
    # What a transaction of the sender has taken back was never said.
    "isolation_level": "read_committed",
    # A topic that is created or given partitions after the start is seen after so long.
    "metadata_max_age_ms": 30_000,
}
