"""Small concurrent programs, right and wrong, whose schedules can be counted by hand."""

from __future__ import annotations

import threading
from queue import SimpleQueue


class Counter:
    def __init__(self) -> None:
        self.value = 0
        self.lock = threading.Lock()

    def add_in_two_steps(self) -> None:
        seen = self.value
        self.value = seen + 1

    def add_in_one_line(self) -> None:
        self.value += 1

    def add_locked(self) -> None:
        with self.lock:
            self.add_in_two_steps()


class Accounts:
    def __init__(self) -> None:
        self.first = threading.Lock()
        self.second = threading.Lock()
        self.moved = 0

    def move(self) -> None:
        with self.first, self.second:
            self.moved += 1

    def move_back(self) -> None:
        with self.second, self.first:
            self.moved -= 1


class Mailbox:
    """One message from a sender to a receiver, with a look before word is left."""

    def __init__(self) -> None:
        self.message: str | None = None
        self.waiting = False
        self.bell = threading.Semaphore(0)

    def send(self) -> None:
        self.message = "hello"
        if self.waiting:
            self.bell.release()

    def receive_carelessly(self) -> None:
        if self.message is None:
            self.waiting = True
            self.bell.acquire(timeout=1)

    def receive(self) -> None:
        self.waiting = True
        if self.message is None:
            self.bell.acquire(timeout=1)


class Gate:
    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.open = False
        self.passed = 0

    def unlock(self, notify: bool = True) -> None:
        with self.condition:
            self.open = True
            if notify:
                self.condition.notify_all()

    def walk_through(self) -> None:
        with self.condition:
            while not self.open:
                self.condition.wait()
            self.passed += 1

    def walk_through_without_a_second_look(self) -> None:
        with self.condition:
            if not self.open:
                self.condition.wait(timeout=1)
            assert self.open
            self.passed += 1


class Relay:
    def __init__(self) -> None:
        self.queue: SimpleQueue[int] = SimpleQueue()
        self.ended = threading.Event()
        self.got: list[int] = []

    def produce(self) -> None:
        for number in range(2):
            self.queue.put(number)
        self.ended.set()

    def consume(self) -> None:
        for _ in range(2):
            self.got.append(self.queue.get())
        self.ended.wait()


class Spinner:
    def __init__(self) -> None:
        self.done = False
        self.turns = 0

    def spin(self) -> None:
        while not self.done:
            self.turns += 1
