"""What an audit finds: findings, evidence per detector, and the verdict they add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from ..safety import ThreadSafety

#: What a finding does to whoever runs the transform in threads, the worst first.
#:
#: * crash, hang: of the interpreter;
#: * wrong data: results, inputs or outputs that another call has changed;
#: * latent: a write nobody declared, of which no harm was seen;
#: * order: results that depend on the order of calls, or cannot be had again;
#: * caution: fine under a condition that the finding names; does not count against a verdict.
Effect = Literal["crash", "hang", "wrong data", "latent", "order", "caution"]
EFFECTS: Final[tuple[Effect, ...]] = (
    "crash",
    "hang",
    "wrong data",
    "latent",
    "order",
    "caution",
)
Status = Literal["clean", "found", "not run"]

#: Detector: what it looks for, in the order in which they run.
DETECTORS: Final[Mapping[str, str]] = {
    "scan": "source that writes to what threads share",
    "call": "whether it can be called at all, once on each sample",
    "rng": "draws from the global generators of random, NumPy and torch",
    "settings": "changes to settings of the whole process",
    "permutation": "results that depend on what was called before",
    "state": "writes to the instance, its class, closures, defaults or module globals",
    "frozen": "writes to the input",
    "alias": "outputs that share memory with another output, the state or the input",
    "labels": "boxes that no longer fit their pixels",
    "errors": "what an exception leaves behind",
    "park": "a call interrupted at every write by another call",
    "hammer": "real threads against the serial results",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that speaks against sharing a transform between threads.

    Attributes:
        detector: who found it.
        effect: what it does.
        what: what was seen, one line.
        where: attribute path, module global or ``file:line``; empty if unknown.
        hint: how to mend it, one line.
        rule: the rule of the static scan, empty for other detectors.
    """

    detector: str
    effect: Effect
    what: str
    where: str = ""
    hint: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one detector did and saw.

    Attributes:
        detector: one of ``DETECTORS``.
        status: clean, found, or not run.
        text: what was done and seen, or why it was not run; one line.
        findings: what speaks against the transform.
        numbers: counts behind the text (calls, rounds, wrong ones, ...).
    """

    detector: str
    status: Status
    text: str
    findings: tuple[Finding, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether threads may share a transform, and how that is known.

    Attributes:
        target: what was audited.
        safety: the class that the evidence supports.
        declared: what its class says of itself, None if nothing.
        reason: why, one line.
        evidence: what each detector saw.
        environment: interpreter, GIL and versions of the process that called the transform.
    """

    target: str
    safety: ThreadSafety
    declared: ThreadSafety | None
    reason: str
    evidence: tuple[Evidence, ...]
    environment: Mapping[str, str]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, the worst effect first."""
        found = [finding for part in self.evidence for finding in part.findings]
        return tuple(sorted(found, key=lambda finding: EFFECTS.index(finding.effect)))

    @property
    def effect(self) -> Effect | None:
        """The worst effect found, None if there is none but cautions."""
        found = [finding.effect for finding in self.findings if finding.effect != "caution"]
        return found[0] if found else None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain dictionaries, lists, strings and numbers."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        """Return what ``to_json`` was made from."""
        said = data["declared"]
        return cls(
            target=data["target"],
            safety=ThreadSafety(data["safety"]),
            declared=None if said is None else ThreadSafety(said),
            reason=data["reason"],
            evidence=tuple(evidence_from_json(part) for part in data["evidence"]),
            environment=data["environment"],
        )


def evidence_from_json(data: Mapping[str, Any]) -> Evidence:
    """Return evidence that ``dataclasses.asdict`` was applied to."""
    findings = tuple(Finding(**finding) for finding in data["findings"])
    return Evidence(**{**data, "findings": findings})


def found(
    detector: str,
    text: str,
    findings: Sequence[Finding],
    numbers: Mapping[str, float] | None = None,
) -> Evidence:
    """Return evidence whose status follows from its findings."""
    status: Status = "found" if findings else "clean"
    return Evidence(detector, status, text, tuple(findings), numbers or {})
