"""deploy/kubernetes: its programs start, are asked where they answer, and never take too much of the database."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import pytest

from tests.unit.deploy.programs import (
    A_COMMAND,
    DEPLOY,
    DRAINS_WITHIN_SECONDS,
    MOST_CONNECTIONS,
    Program,
    database_connections,
    documents,
    probe_paths,
    version,
)

FOLDER: Final = DEPLOY / "kubernetes"
KUSTOMIZATIONS: Final = (FOLDER / "kustomization.yaml", FOLDER / "migration" / "kustomization.yaml")
EXAMPLE: Final = FOLDER / "secret.example.yaml"
WORKLOADS: Final = ("booking-serve", "booking-worker", "booking-migrate")
STAYING: Final = ("booking-serve", "booking-worker")
PROBES: Final = ("startupProbe", "livenessProbe", "readinessProbe")


@cache
def everything() -> list[Any]:
    """What the two kustomizations bring, and the example."""
    named = [page.parent / name for page in KUSTOMIZATIONS for name in documents(page)[0]["resources"]]
    return [document for path in [*named, EXAMPLE] for document in documents(path)]


def of_kind(kind: str) -> dict[str, Any]:
    return {document["metadata"]["name"]: document for document in everything() if document["kind"] == kind}


def workload(name: str) -> Any:
    return (of_kind("Deployment") | of_kind("Job"))[name]["spec"]


def pod(name: str) -> Any:
    return workload(name)["template"]["spec"]


def container(name: str) -> Any:
    [only] = pod(name)["containers"]
    return only


def program(name: str) -> Program:
    return Program(arguments=tuple(container(name)["args"]), environ=environ_of(container(name)))


def environ_of(described: Any) -> Mapping[str, str]:
    environ: dict[str, str] = {}
    for source in described.get("envFrom", []):
        if "configMapRef" in source:
            environ |= of_kind("ConfigMap")[source["configMapRef"]["name"]]["data"]
        else:
            environ |= of_kind("Secret")[source["secretRef"]["name"]]["stringData"]
    for variable in described["env"]:
        if "value" in variable:
            environ[variable["name"]] = variable["value"]
        else:
            secret = variable["valueFrom"]["secretKeyRef"]
            environ[variable["name"]] = of_kind("Secret")[secret["name"]]["stringData"][secret["key"]]
    return environ


def test_every_manifest_belongs_to_a_kustomization() -> None:
    named = {page.parent / name for page in KUSTOMIZATIONS for name in documents(page)[0]["resources"]}

    assert named == set(FOLDER.rglob("*.yaml")) - {EXAMPLE, *KUSTOMIZATIONS}
    assert {page["images"][0]["newTag"] for path in KUSTOMIZATIONS for page in documents(path)} == {version()}


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_program_would_start(name: str) -> None:
    started = program(name)

    assert started.settings().database_url == "postgresql://booking:change-me@postgres.example.com/booking" + (
        "?sslmode=verify-full&sslrootcert=/etc/ssl/certs/ca-certificates.crt"
    )
    assert started.command == name.removeprefix("booking-")


@pytest.mark.parametrize("name", STAYING)
def test_probes_ask_what_answers(name: str) -> None:
    started, described = program(name), container(name)
    [port] = described["ports"]
    asked = {probe: described[probe]["httpGet"] for probe in PROBES}

    assert port["containerPort"] == started.port
    assert {where["port"] for where in asked.values()} == {port["name"]}
    assert {where["path"] for where in asked.values()} <= probe_paths(started.command)
    # A database that is away must not end pods: they would all be gone when it is back.
    assert asked["livenessProbe"]["path"] == asked["startupProbe"]["path"] == "/healthz"
    assert asked["readinessProbe"]["path"] == "/readyz"
    assert started.command != "serve" or started.options["host"] == "0.0.0.0"


def test_two_workers() -> None:
    assert workload("booking-worker")["replicas"] == 2


@pytest.mark.parametrize("name", STAYING)
def test_a_pod_may_finish_what_it_has_in_hand(name: str) -> None:
    delay = program(name).settings().stop_delay_seconds
    assert "lifecycle" not in container(name), "it would delay the stop as well"
    assert (delay > 0) == (program(name).command == "serve"), "a Service balances the load"

    assert pod(name)["terminationGracePeriodSeconds"] > delay + DRAINS_WITHIN_SECONDS[program(name).command]


def most_pods(name: str) -> int:
    """How many of its pods have connections at once, those that end included, while a new version is rolled out.

    Kubernetes no longer counts a pod that was told to end. In one step it ends at most surge + unavailable of them, and
    with `minReadySeconds` that long, those of the step before are gone by then.
    """
    spec = workload(name)
    if "parallelism" in spec:
        return int(spec["parallelism"])
    assert spec["minReadySeconds"] >= spec["template"]["spec"]["terminationGracePeriodSeconds"]
    surge, unavailable = (spec["strategy"]["rollingUpdate"][name] for name in ("maxSurge", "maxUnavailable"))
    return int(spec["replicas"] + surge + (surge + unavailable))


def test_connections_add_up_to_what_is_allowed_a_rollout_included() -> None:
    taken = {name: most_pods(name) * database_connections(program(name)) for name in WORKLOADS}

    assert set(WORKLOADS) == of_kind("Deployment").keys() | of_kind("Job").keys()
    assert sum(taken.values()) + A_COMMAND <= MOST_CONNECTIONS, taken


@pytest.mark.parametrize("name", STAYING)
def test_a_rollout_leaves_somebody_who_serves(name: str) -> None:
    spec = workload(name)

    assert spec["replicas"] - spec["strategy"]["rollingUpdate"]["maxUnavailable"] >= 1
    assert of_kind("PodDisruptionBudget")[name]["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("name", WORKLOADS)
def test_no_root_nothing_to_write_and_limits(name: str) -> None:
    described, context = container(name), pod(name)["securityContext"]

    assert (context["runAsNonRoot"], context["runAsUser"]) == (True, 10001)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert described["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert described["resources"]["limits"].keys() == described["resources"]["requests"].keys() == {"cpu", "memory"}
    assert pod(name)["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", STAYING)
def test_whatever_selects_pods_selects_these(name: str) -> None:
    labels = workload(name)["template"]["metadata"]["labels"]
    policy = of_kind("NetworkPolicy")[name]["spec"]
    [incoming] = policy["ingress"]

    assert workload(name)["selector"]["matchLabels"] == labels
    assert of_kind("PodDisruptionBudget")[name]["spec"]["selector"]["matchLabels"] == labels
    assert policy["podSelector"]["matchLabels"] == labels
    assert [port["port"] for port in incoming["ports"]] == [program(name).port]


def test_the_service_leads_to_the_api() -> None:
    service = of_kind("Service")["booking"]["spec"]

    assert service["selector"] == workload("booking-serve")["template"]["metadata"]["labels"]
    assert [port["targetPort"] for port in service["ports"]] == [container("booking-serve")["ports"][0]["name"]]
