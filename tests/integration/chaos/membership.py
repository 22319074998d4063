"""The members of a consumer group, past the adapter: a test need not wait ten seconds for each of the dead."""

from typing import Any

from kafka import KafkaAdminClient
from kafka.protocol.group import LeaveGroupRequest  # type: ignore[import-untyped]  # the stubs are of a newer client


def evict_everybody(bootstrap_servers: str, group: str) -> int:
    """Take all members out of the group, as the end of their sessions would; how many there were.

    For a moment when nobody of the group lives: one who does would join again, and get everything anew.
    """
    admin: Any = KafkaAdminClient(bootstrap_servers=bootstrap_servers, api_version=(2, 6), request_timeout_ms=10_000)
    try:
        (described,) = admin.describe_consumer_groups([group])
        for member in described.members:
            coordinator = admin._find_coordinator_ids([group])[group]
            admin.send_request(LeaveGroupRequest[0](group, member.member_id), coordinator)
        return len(described.members)
    finally:
        admin.close()
