"""The regression guard: this source beside an earlier one, interleaved in one run.

Times of two runs say nothing about each other, so no time is kept: the earlier source is taken
from the repository's history and measured again, in the same blocks, by the same interpreters.
"""
