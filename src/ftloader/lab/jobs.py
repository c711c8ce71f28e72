"""What the jobs of all forms of experiment have in common: they are sent as one JSON document."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from .arms import Arm


class Sent:
    """Base of a frozen dataclass that is sent to a worker process."""

    def to_json(self) -> str:
        """Return the job as one JSON document."""
        return json.dumps(asdict(self))  # type: ignore[call-overload]


def fields(text: str) -> dict[str, Any]:
    """Return the fields of a job from its document: lists as tuples, the arm as one."""
    sent: dict[str, Any] = json.loads(text)
    lists = {name: tuple(value) for name, value in sent.items() if isinstance(value, list)}
    return {**sent, **lists, "arm": Arm.from_json(sent["arm"])}
