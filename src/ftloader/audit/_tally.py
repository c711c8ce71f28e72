"""What the rounds of the hammer add up to: counts, findings, and the text of the evidence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from .verdict import Effect, Evidence, Finding, found

_HINT: Final = "keep what belongs to one call in local variables; see what state and park name"
_ORDER_HINT: Final = "draw from the sample's own stream and keep nothing from call to call"
#: The probability with which a race as frequent as the text says would have been seen.
_POWER: Final = 0.99


@dataclass
class Tally:
    """Rounds so far.

    Attributes:
        noun: what a round consists of, for the text.
        rounds: by number of threads.
        wrong_rounds: those with a wrong call, by number of threads.
        calls: all calls.
        wrong_calls: calls with another result than in one thread.
    """

    noun: str
    rounds: Counter[int] = field(default_factory=Counter)
    wrong_rounds: Counter[int] = field(default_factory=Counter)
    calls: int = 0
    wrong_calls: int = 0
    _seen: dict[tuple[Effect, str], Finding] = field(default_factory=dict)
    _times: Counter[tuple[Effect, str]] = field(default_factory=Counter)

    def add_round(self, threads: int, calls: int, wrong: int) -> None:
        """Count a round."""
        self.rounds[threads] += 1
        self.wrong_rounds[threads] += bool(wrong)
        self.calls += calls
        self.wrong_calls += wrong

    def add(self, effect: Effect, kind: str, first: str, where: str = "") -> None:
        """Count a wrong call; the first of each kind is told in full.

        Args:
            effect: of the finding.
            kind: what is wrong, the same words for all of a kind.
            first: which call it was.
            where: the line, if known.
        """
        key = (effect, kind)
        self._times[key] += 1
        if key not in self._seen:
            hint = _ORDER_HINT if effect == "order" else _HINT
            self._seen[key] = Finding("hammer", effect, f"{kind} (first: {first})", where, hint)

    @property
    def wrong(self) -> int:
        """Number of wrong rounds."""
        return self.wrong_rounds.total()

    def evidence(self, suffix: str) -> Evidence:
        """Return the evidence of these rounds.

        Args:
            suffix: what else there is to say, empty or beginning with a semicolon.
        """
        rounds = self.rounds.total()
        numbers: dict[str, float] = {
            "rounds": rounds,
            "wrong_rounds": self.wrong,
            "calls": self.calls,
            "wrong_calls": self.wrong_calls,
        }
        for threads in sorted(self.rounds):
            numbers[f"rounds_{threads}"] = self.rounds[threads]
            numbers[f"wrong_rounds_{threads}"] = self.wrong_rounds[threads]
        text = f"{self.wrong:,} of {rounds:,} rounds {self.noun} ({self.calls:,} calls) wrong"
        if not self.wrong and rounds:
            numbers["detectable"] = 1 - (1 - _POWER) ** (1 / rounds)
            text += (
                f"; a race that shows in {percent(numbers['detectable'])} of rounds or more would "
                f"have been seen with {_POWER:.0%} probability".replace("99%", "99 %")
            )
        findings = [self._counted(finding, self._times[key]) for key, finding in self._seen.items()]
        return found("hammer", text + suffix, findings, numbers)

    def _counted(self, finding: Finding, times: int) -> Finding:
        if times == 1:
            return finding
        what = finding.what.replace(" (first: ", f", {times:,} times (first: ", 1)
        return Finding(finding.detector, finding.effect, what, finding.where, finding.hint)


def percent(share: float) -> str:
    """Return a share with two significant digits, in percent."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 10 else f"{value:.2g} %"
