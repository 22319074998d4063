"""What waits in the topics, as a worker shows it to Prometheus."""

from uuid import uuid4

from booking_telemetry import metric_specs
from tests.integration.cli.test_worker_health import figures as shown
from tests.integration.kafka.payment_messages import said, say
from tests.integration.kafka.service import Service
from tests.support.processes import free_port, running_booking, wait_until


def test_dead_letters_and_lag_are_shown_as_the_brokers_count_them(service: Service) -> None:
    say(service.servers, service.letters_topic, [said("payment.success", uuid4()) for _ in range(2)])
    port = free_port()
    settings = service.settings() | {"BOOKING_WORKER_PORT": str(port), "BOOKING_LOG_LEVEL": "ERROR"}

    with running_booking(service.stage.url, "worker", **settings) as worker:
        wait_until(lambda: metric_specs.DEAD_LETTERS_AGE.name in shown(port), worker)
        found = shown(port)

    assert found[metric_specs.DEAD_LETTERS.name] == 2
    assert 0 <= found[metric_specs.DEAD_LETTERS_AGE.name] < 60
    assert found[metric_specs.LAG.name] == found[metric_specs.LAG_AGE.name] == 0
    assert found[f'{metric_specs.PASSES.name}{{outcome="done",task="bus"}}'] == 1
