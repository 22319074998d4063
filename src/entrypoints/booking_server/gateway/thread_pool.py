"""The threads that do the work. What they work on, and in which order, is for others to say."""

import threading
from collections.abc import Callable
from queue import SimpleQueue

from attrs import define, field

Task = Callable[[], None]


@define(eq=False)
class ThreadPool:
    """`size` threads that do one task after the other, in the order given, until the process ends."""

    name: str
    size: int
    _tasks: "SimpleQueue[Task]" = field(factory=SimpleQueue, init=False)

    def start(self) -> None:
        """Begin to work. They are daemons: the process ends without them."""
        for number in range(self.size):
            threading.Thread(target=self._work, name=f"{self.name}-{number + 1}", daemon=True).start()

    def do(self, task: Task) -> None:
        """One more task; it raises nothing."""
        self._tasks.put(task)

    def _work(self) -> None:
        while True:
            self._tasks.get()()
