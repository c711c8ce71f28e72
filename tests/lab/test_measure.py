"""Warming up: windows get longer until two agree, and never by a leap."""

from __future__ import annotations

from ftloader.lab import measure
from ftloader.lab.measure import Window
from ftloader.lab.provenance import without_folders

PASS = 0.01


class Recorded:
    """Windows of recorded lengths: those given first, then a pass takes 10 ms."""

    def __init__(self, *first):
        self.first, self.asked = list(first), []

    def window(self, passes):
        self.asked.append(passes)
        seconds = self.first.pop(0) if self.first else passes * PASS
        return Window(seconds, 4 * passes, seconds, 0.0, 0.0, True)


def test_windows_grow_until_they_are_long_enough_and_two_agree():
    passes = Recorded()
    count, windows, settled = measure._warm_up(passes, shortest=0.15, most=8)
    assert settled
    assert count * PASS >= 0.15
    assert (passes.asked, windows) == ([1, 8, 16], 3)


def test_a_first_window_that_reads_what_lay_ready_does_not_blow_up_the_next():
    passes = Recorded(1e-7)
    count, _, settled = measure._warm_up(passes, shortest=0.15, most=8)
    assert settled
    assert passes.asked[1] == 8
    assert count * PASS < 4 * 0.15


def test_what_a_run_ended_with_names_no_folder():
    said = 'File "/home/somebody/src/one.py", line 3: https://example.org/a/b and 1/2 stay'
    assert without_folders(said) == 'File "one.py", line 3: https://example.org/a/b and 1/2 stay'
