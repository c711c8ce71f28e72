"""From evidence to a verdict: the class of thread safety that it supports, and why.

What a class declares is held against what was found. Nothing found and nothing declared is
stateless, or read-only state where the instance holds arrays or containers. Cautions do not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ..safety import ThreadSafety
from .verdict import EFFECTS, Evidence, Finding, Verdict

_EXPECTED: Final[Mapping[ThreadSafety, frozenset[str]]] = {
    ThreadSafety.ORDER_DEPENDENT: frozenset({"order", "latent"}),
}


def judge(
    target: str,
    declared: ThreadSafety | None,
    evidence: Sequence[Evidence],
    environment: Mapping[str, str],
    has_tables: bool,
) -> Verdict:
    """Return the verdict that the evidence supports.

    Args:
        target: what was audited.
        declared: what its class says of itself.
        evidence: what each detector saw.
        environment: of the process that called it.
        has_tables: whether the instance holds arrays or containers.
    """
    findings = [finding for part in evidence for finding in part.findings]
    safety, reason = _judge(declared, findings, has_tables)
    missing = [part.detector for part in evidence if part.status == "not run"]
    if safety.is_safe and missing:
        reason += f"; not run: {', '.join(missing)}"
    return Verdict(target, safety, declared, reason, tuple(evidence), dict(environment))


def _judge(
    declared: ThreadSafety | None, findings: Sequence[Finding], has_tables: bool
) -> tuple[ThreadSafety, str]:
    if declared is ThreadSafety.UNSAFE:
        return declared, "its class says so"
    expected = _EXPECTED.get(declared, frozenset()) if declared is not None else frozenset()
    against = [f for f in findings if f.effect != "caution" and f.effect not in expected]
    against.sort(key=lambda finding: EFFECTS.index(finding.effect))
    if against:
        worst = against[0]
        said = worst.what + (f" ({worst.where})" if worst.where else "")
        if all(finding.effect == "order" for finding in against):
            return ThreadSafety.ORDER_DEPENDENT, said
        return ThreadSafety.UNSAFE, said
    if declared is ThreadSafety.STATELESS and has_tables:
        return ThreadSafety.READ_ONLY, "nothing was found; it holds tables that nobody writes to"
    if declared is not None:
        return declared, "declared, and nothing was found against it"
    if has_tables:
        return ThreadSafety.READ_ONLY, "nothing was found; its tables were never written to"
    return ThreadSafety.STATELESS, "nothing was found, and it holds no arrays or containers"
