"""The table of a verdict, as plain text and in colour, on narrow and wide terminals."""

from __future__ import annotations

import re

import pytest

from ftloader.audit.table import MEANING, Look, render
from ftloader.audit.verdict import Evidence, Finding, Verdict
from ftloader.safety import ThreadSafety

HINT = "keep it in a local variable and pass it on as an argument"
SHORT = Finding("scan", "latent", "assigns self.scale in transform()", "mmcv/a.py:12", HINT, "S01")
LONG = Finding(
    "park",
    "wrong data",
    "reads self.resize.scale, which another call has overwritten since this one wrote it",
    "mmcv/transforms/processing.py:1553 and mmcv/transforms/processing.py:1554",
    "pass the scale as an argument",
)
CAUTION = Finding("frozen", "caution", "writes to its input: sample['img']", "a.py:3", "copy it")
POWER = (
    "0 of 212 rounds (6,784 calls) wrong; a race that shows in 2.1 % of rounds or more would have "
    "been seen with 99 % probability"
)


def verdict(
    *evidence: Evidence,
    safety: ThreadSafety = ThreadSafety.UNSAFE,
    declared: ThreadSafety | None = None,
) -> Verdict:
    environment = {"python": "3.13.5t", "gil": "off", "numpy": "2.4.6", "pillow": "12.2.0"}
    reason = "assigns self.resize.scale in transform() (mmcv/transforms/processing.py:1553)"
    return Verdict("mmcv.transforms:RandomResize", safety, declared, reason, evidence, environment)


EVERYTHING = verdict(
    Evidence("scan", "found", "18 functions in 5 files read: 1 place, S01", (SHORT,)),
    Evidence("call", "clean", "16 samples: 16 returned"),
    Evidence("frozen", "found", "16 samples compared: written to", (CAUTION,)),
    Evidence("labels", "not run", "the pictures do not encode their coordinates"),
    Evidence("park", "found", "12 points: 1 torn", (LONG,)),
    Evidence("hammer", "clean", POWER),
)


def test_the_table_at_80_columns() -> None:
    assert (
        render(EVERYTHING)
        == """\
mmcv.transforms:RandomResize: unsafe
  one thread only
  because   assigns self.resize.scale in transform()
            (mmcv/transforms/processing.py:1553)
  declared  nothing

Evidence
  ✗ scan    18 functions in 5 files read: 1 place, S01
  ✓ call    16 samples: 16 returned
  ! frozen  16 samples compared: written to
  – labels  not run: the pictures do not encode their coordinates
  ✗ park    12 points: 1 torn
  ✓ hammer  0 of 212 rounds (6,784 calls) wrong; a race that shows in 2.1 % of
            rounds or more would have been seen with 99 % probability

Findings
  wrong data: park
    reads self.resize.scale, which another call has overwritten since this one
      wrote it
      at mmcv/transforms/processing.py:1553 and
      mmcv/transforms/processing.py:1554
    mend: pass the scale as an argument
  latent: scan S01
    assigns self.scale in transform()  mmcv/a.py:12
    mend: keep it in a local variable and pass it on as an argument
  caution: frozen
    writes to its input: sample['img']  a.py:3
    mend: copy it

python 3.13.5t, gil off, numpy 2.4.6, pillow 12.2.0"""
    )


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, render(EVERYTHING, Look(width)).splitlines())) <= width


def test_a_wide_terminal_keeps_what_and_where_on_one_line() -> None:
    lines = render(EVERYTHING, Look(200)).splitlines()
    assert [line for line in lines if LONG.what in line] == [f"    {LONG.what}  {LONG.where}"]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_colour_changes_nothing_but_the_colour(width: int) -> None:
    coloured = render(EVERYTHING, Look(width, colour=True))
    assert "\x1b[1;31munsafe" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render(EVERYTHING, Look(width))
    assert all(line.count("\x1b[") % 2 == 0 for line in coloured.splitlines())


def test_marks_can_be_plain_letters() -> None:
    text = render(EVERYTHING, Look(ascii=True))
    assert text.isascii()
    assert {"  x scan    18", "  + call    16", "  - labels  no"} <= {
        line[:14] for line in text.splitlines()
    }


def test_many_findings_of_one_kind_share_a_hint_and_are_counted() -> None:
    many = [Finding("scan", "order", f"draws {n}", f"a.py:{n}", HINT, "S07") for n in range(20)]
    text = render(verdict(Evidence("scan", "found", "20 places", tuple(many))))
    assert "    draws 5  a.py:5\n    and 14 more like these\n" in text
    assert text.count(HINT) == 1


def test_detectors_that_one_cause_has_stopped_share_a_line() -> None:
    names = ("rng", "settings", "permutation", "state", "frozen", "alias", "park")
    parts = [Evidence(name, "not run", "the process died before it") for name in names]
    text = render(verdict(Evidence("call", "found", "died", (SHORT,)), *parts))
    assert "  – rng, settings, permutation, state, frozen, alias, park\n" in text
    assert text.count("the process died before it") == 1


@pytest.mark.parametrize("safety", ThreadSafety)
def test_every_class_says_what_may_be_done(safety: ThreadSafety) -> None:
    first, second, *_ = render(verdict(safety=safety, declared=safety)).splitlines()
    assert first == f"mmcv.transforms:RandomResize: {safety}"
    assert second == f"  {MEANING[safety]}"
    assert f"declared  {safety}" in render(verdict(safety=safety, declared=safety))


def test_a_verdict_survives_json_and_looks_the_same() -> None:
    assert render(Verdict.from_json(EVERYTHING.to_json())) == render(EVERYTHING)


def test_a_verdict_without_anything_is_short() -> None:
    bare = Verdict("f", ThreadSafety.STATELESS, None, "nothing was found", (), {})
    assert render(bare).splitlines() == [
        "f: stateless",
        "  threads may share one instance",
        "  because   nothing was found",
        "  declared  nothing",
    ]
