"""What the brokers say of our topics, and what an operator should make of it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from booking_core.ports import Finding, Grade, Workload

_UNKNOWN_TOPIC: Final = 3
_NOT_AUTHORIZED: Final = 29
_NO_LEADER: Final = -1
_SETTINGS: Final = ("retention.ms", "cleanup.policy", "max.message.bytes")
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
# Whoever consumes a topic may be down for a day; a dead letter waits for somebody to come back from the weekend.
_LEAST_MS: Final = _DAY_MS
_LEAST_OF_LETTERS_MS: Final = 7 * _DAY_MS
# A dead letter may have 900 KB, and its headers and the batch around it something more.
_LEAST_BYTES: Final = 1_000_000

Described = Mapping[str, Any]


def topic_findings(admin: KafkaAdminClient, workload: Workload, *, brokers: int) -> Iterator[Finding]:
    """One `topic NAME` for each topic. Raises what the client raises when brokers go away meanwhile."""
    described = {each["topic"]: each for each in admin.describe_topics(list(workload.topics))}
    settings = _settings_of(admin, workload)
    for name in workload.topics:
        topic = described.get(name, {"error_code": _UNKNOWN_TOPIC})
        trouble = _trouble_with(name, topic, workload)
        if trouble is not None:
            yield trouble
            continue
        configured = settings.get(name, {})
        worries = [*_worries(name, topic, configured, workload, brokers)]
        partitions, copies = len(topic["partitions"]), _copies(topic)
        found = f"{_counted(partitions, 'partition')}, {_counted(copies, 'copy', 'copies')}, {_kept(configured)}"
        yield Finding(
            check=f"topic {name}",
            grade=Grade.WARNING if worries else Grade.OK,
            found="; ".join([found, *(worry for worry, _ in worries)]),
            advice="; ".join(advice for _, advice in worries),
        )


def _trouble_with(name: str, topic: Described, workload: Workload) -> Finding | None:
    check, code = f"topic {name}", topic["error_code"]
    if code == _UNKNOWN_TOPIC:
        advice = f"create it, for example: rpk topic create {name} -p 6 (nothing creates topics by itself)"
        return Finding(check=check, grade=Grade.TROUBLE, found="does not exist", advice=advice)
    if code == _NOT_AUTHORIZED:
        found, advice = "the brokers do not let our user see it", f"grant {_rights(name, workload)} on it"
        return Finding(check=check, grade=Grade.TROUBLE, found=found, advice=advice)
    if code:
        found, advice = (
            f"the brokers answer with error {code}",
            "see Kafka's list of error codes, and the brokers' logs",
        )
        return Finding(check=check, grade=Grade.TROUBLE, found=found, advice=advice)
    leaderless = [str(each["partition"]) for each in topic["partitions"] if each["leader"] == _NO_LEADER]
    if leaderless:
        found, advice = f"no broker leads partition {', '.join(leaderless)}", "bring back the brokers that have it"
        return Finding(check=check, grade=Grade.TROUBLE, found=found, advice=advice)
    granted = topic.get("authorized_operations") or ()
    missing = [right for right in _rights(name, workload).split(" and ") if granted and right not in granted]
    if missing:
        found = f"our user has no right to {' and '.join(missing)}"
        return Finding(check=check, grade=Grade.TROUBLE, found=found, advice=f"grant {' and '.join(missing)} on it")
    return None


def _worries(
    name: str, topic: Described, configured: Mapping[str, str], workload: Workload, brokers: int
) -> Iterator[tuple[str, str]]:
    """What may go wrong one day, and what to do about it."""
    if name == workload.consumed and len(topic["partitions"]) == 1:
        yield "only one worker can consume it at a time", "give it as many partitions as there may be workers"
    if brokers > 1 and _copies(topic) == 1:
        yield "what is in it is lost with one broker", "raise its replication factor"
    if "compact" in configured.get("cleanup.policy", ""):
        yield "it is compacted: earlier messages of a booking vanish", "set its cleanup.policy to delete"
    least = _LEAST_OF_LETTERS_MS if name == workload.dead_letters else _LEAST_MS
    if 0 <= int(configured.get("retention.ms", -1)) < least:
        yield "that is short", f"set its retention.ms to {least} ({least // _DAY_MS} d) at least"
    if int(configured.get("max.message.bytes", _LEAST_BYTES)) < _LEAST_BYTES:
        yield "it takes only small messages", f"set its max.message.bytes to {_LEAST_BYTES} at least"


def _rights(name: str, workload: Workload) -> str:
    """What we do with it."""
    writes = name in (workload.published, workload.dead_letters)
    reads = name in (workload.consumed, workload.dead_letters)
    return " and ".join([*(["READ"] if reads else []), *(["WRITE"] if writes else [])])


def _settings_of(admin: KafkaAdminClient, workload: Workload) -> Mapping[str, Mapping[str, str]]:
    """Nothing of those that we may not ask about: that is no trouble for the service."""
    wanted: Any = dict.fromkeys(_SETTINGS)
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, wanted) for name in workload.topics]
    try:
        answers = admin.describe_configs(asked)
    except KafkaError:
        return {}
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4] if entry[1] is not None}
        for answer in answers
        for resource in answer.resources
        if resource[0] == 0
    }


def _copies(topic: Described) -> int:
    return min(len(each["replicas"]) for each in topic["partitions"])


def _kept(configured: Mapping[str, str]) -> str:
    if "retention.ms" not in configured:
        return "kept for nobody tells us how long"
    kept = int(configured["retention.ms"])
    if kept < 0:
        return "kept for ever"
    return f"kept for {kept / _DAY_MS:.3g} d" if kept >= _DAY_MS else f"kept for {kept / _HOUR_MS:.3g} h"


def _counted(number: int, one: str, several: str | None = None) -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"
