"""Where order is restored: results come in as they are ready and leave in ticket order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Sequencer:
    """Puts results back into ticket order. Not synchronised: its owner holds a lock."""

    def __init__(self) -> None:
        self.next = 0
        self._waiting: dict[int, list[Any]] = {}
        self._done: set[int] = set()

    def add(self, ticket: int, items: Sequence[Any], done: bool) -> list[Any]:
        """Take results of one ticket and return all that are now in order."""
        if ticket == self.next and done and not self._waiting:  # the common case: all in order
            self.next += 1
            return list(items)
        self._waiting.setdefault(ticket, []).extend(items)
        if done:
            self._done.add(ticket)
        released: list[Any] = []
        while self.next in self._waiting:
            released += self._waiting.pop(self.next)
            if self.next not in self._done:
                break
            self._done.remove(self.next)
            self.next += 1
        return released
