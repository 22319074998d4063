"""docs/kafka.md as its readers use it: every line that it tells them to type is typed here, with Kafka's own tools.

Over a broker of its own, for the topics are called as in the documentation.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.kafka.terminal import Terminal
from tests.support.directories import open_directory
from tests.support.kafka.broker import KafkaBroker, NotInstalled, java, tools, write_console_tools
from tests.support.kafka.fixtures import new_broker
from tests.support.processes import free_port

PAGE = Path(__file__).parents[3] / "docs" / "kafka.md"


class Page:
    """The blocks of shell on the page; `left` are those that nobody has asked for yet."""

    def __init__(self) -> None:
        text = PAGE.read_text()
        self._blocks = [str(each) for each in re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
        self.left = list(self._blocks)
        assert len(self._blocks) * 2 == text.count("```"), "blocks in another language are not walked"

    def block(self, of: str) -> str:
        """The one with these words in it."""
        [found] = [each for each in self._blocks if of in each]
        if found in self.left:
            self.left.remove(found)
        return found


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """One without topics: the page lists them."""
    with new_broker(tmp_path_factory) as broker:
        yield broker


@pytest.fixture
def open_terminal(page: Page, broker: KafkaBroker, tmp_path: Path) -> Iterator[Callable[[], Terminal]]:
    """Opens one in a directory that they share, as the page wants it: `booking` and the tools are on the PATH."""
    try:
        write_console_tools(tmp_path, java=java(), tools=tools())
    except NotInstalled as error:
        pytest.skip(str(error))
    programs = os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = {name: value for name, value in os.environ.items() if not name.startswith("BOOKING_")}
    environment = settings | {"PATH": programs, "PYTHONPATH": os.pathsep.join(sys.path)}
    directory = open_directory()  # that PostgreSQL's user can enter as well
    with ExitStack() as after:

        def start() -> Terminal:
            terminal = after.enter_context(Terminal.opened(directory, environment))
            terminal.run(page.block("localhost:9092").replace("localhost:9092", broker.bootstrap_servers))
            return terminal

        after.callback(shutil.rmtree, directory)
        yield start


def records(watching: Terminal, event_type: str) -> list[tuple[str, str, Any]]:
    """Sequence, key and payload of what the console consumer shows of these events."""
    line = re.compile(rf"^event_type:{event_type},\S*sequence:(\d+)\t(\S+)\t(\{{.*\}})$", re.MULTILINE)
    return [(number, key, json.loads(body)["payload"]) for number, key, body in line.findall(watching.text())]


@pytest.mark.slow("the commands of the documentation")
@pytest.mark.timeout(300)
def test_every_line_of_the_page(page: Page, open_terminal: Callable[[], Terminal], broker: KafkaBroker) -> None:
    first, watching, third, production = (open_terminal() for _ in range(4))
    assert first.run(page.block("--create")).count("Created topic") == 3

    first.paste(page.block("booking dev").replace("booking dev", f"booking dev --port {free_port()}"))
    watching.paste(page.block("print.key"))
    printed = first.wait_for("data['refund']")
    lines = printed[printed.index("API=") :]
    third.run(lines[: lines.index("\n", lines.index("BOOKING="))])
    booking_id = third.run("echo $BOOKING").strip()
    watching.wait_for("event_type:booking.created")
    [(number, key, created)] = records(watching, "booking.created")
    assert (number, key, created["bookingId"]) == ("1", booking_id, booking_id)

    third.run(page.block("AMOUNT="))
    watching.wait_for("event_type:booking.confirmed")
    [(number, key, confirmed)] = records(watching, "booking.confirmed")
    assert (number, key, confirmed["bookingId"]) == ("2", booking_id, booking_id)
    shown = third.run("call $ALICE $API/api/v1/bookings/$BOOKING")
    assert '"status":"CONFIRMED"' in shown
    assert confirmed["ticketReference"] in shown

    third.run(page.block('say "not JSON"'))
    first.wait_for("consumer.dead_letter")  # it came after the repeat, in the same partition
    history = third.run(page.block("environment.sh"))
    assert history.count("PAYMENT_SUCCESS") == 1, history

    again = third.run(page.block("replay events"))
    assert re.findall(r"\d+ events?", again) == ["0 events", "1 event"], again
    watching.wait_for("event_type:booking.confirmed", times=2)
    assert records(watching, "booking.confirmed") == [("2", booking_id, confirmed)] * 2
    assert len(records(watching, r"[a-z._]+")) == 3, "the payment said twice has made an event"

    letters = third.run(page.block("replay dead-letters"))
    assert re.search(r"dead letters\s+1\b", letters), letters
    assert re.search(r"^reason:MALFORMED_MESSAGE: .*origin_topic:payment.events,.*\tnot JSON$", letters, re.MULTILINE)
    assert re.findall(r"^\d+ dead letters .*", letters, re.MULTILINE) == [
        "0 dead letters would be applied, 1 would fail again",
        "0 dead letters applied, 1 failed again and is kept",
    ]

    production.run(". .booking/environment.sh")
    url = production.run("echo $BOOKING_DATABASE_URL").strip()
    worker = page.block("booking worker").replace("postgresql://…", f"'{url}'")
    production.paste(worker.replace("broker-1:9092,broker-2:9092", broker.bootstrap_servers))
    production.wait_for("worker.started")

    assert page.left == []
