"""One step of augmentation, done by ftloader and by its peers on the same images.

The parameters are drawn once per image by ftloader's ``draw``, and every peer is given them. What
a peer needs in a form of its own (a tensor, a Pillow image, a dictionary) is made before the clock
starts, a fresh one where the peer writes to it; the clock runs around the calls alone. After every
window the last output is compared with ftloader's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ftloader import lab
from ftloader.detection.sample import Sample, SampleInfo
from ftloader.detection.transforms.base import Partners, Transform
from ftloader.errors import DigestError
from ftloader.lab.costs import Cell, Claim, Contender, Measured
from ftloader.lab.digest import Sampler
from ftloader.rng import sample_rng

from .samples import samples_of

#: ftloader may take this much longer than a peer; the issue's own number.
SLOWER = 1.10

# Of the parameters: the same in every process of every run.
SEED = 7


@dataclass(frozen=True)
class Task:
    """One image with the parameters that are to be applied to it."""

    jpeg: bytes
    sample: Sample
    params: Any
    partners: Partners


@dataclass(frozen=True)
class Outcome:
    """What came out: uint8 or float (H, W, 3) in RGB, boxes (N, 4); None is not compared."""

    image: NDArray[Any]
    boxes: NDArray[Any] | None = None


def same(argument: Any) -> Any:
    return argument


@dataclass(frozen=True)
class Bound:
    """A way to do the work, tied to its inputs.

    ``fresh`` gives the argument of one call and is not timed, ``call`` is, ``outcome`` reads what
    the call returned.
    """

    arguments: Sequence[Any]
    call: Callable[[Any], Any]
    outcome: Callable[[Any], Outcome]
    fresh: Callable[[Any], Any] = same


Tie = Callable[[Sequence[Task], Transform[Any]], Bound]


def applied(tasks: Sequence[Task], transform: Transform[Any]) -> Bound:
    """Tie ftloader's ``apply`` to the tasks."""

    def call(task: Task) -> Sample:
        return transform.apply(task.sample, task.params, task.partners)

    return Bound(tasks, call, outcome_of)


def outcome_of(sample: Sample) -> Outcome:
    return Outcome(sample.image, sample.boxes)


class Infos:
    """Some samples as the data set that partners are drawn from."""

    def __init__(self, infos: Sequence[SampleInfo]) -> None:
        self._infos = infos

    def __len__(self) -> int:
        return len(self._infos)

    def sample_info(self, i: int) -> SampleInfo:
        return self._infos[i]


@dataclass(frozen=True)
class Peer:
    """Another way to do the work.

    Attributes:
        name: short name in files.
        title: name for people.
        module: of this package; it can be imported where the peer is installed.
        function: of that module: ties the peer to tasks.
        pixels: largest mean difference of the pixels from ftloader's; None where the peer's
            definition is another one and only the sizes are compared.
        judged: whether ftloader's time is held against this peer's.
    """

    name: str
    title: str
    module: str
    function: str
    pixels: float | None = 0.0
    judged: bool = True


@dataclass(frozen=True)
class Way:
    """A contender before it is one: what it needs, and what ties it to tasks."""

    name: str
    title: str
    tie: Tie
    needs: tuple[str, ...] = ()
    peer: Peer | None = None


@dataclass(frozen=True)
class Case:
    """A step and those who do it.

    Attributes:
        name: of the cell.
        title: heading.
        about: what is done to what, and how the peers differ.
        make: makes ftloader's transform for a data set (which partners come from).
        peers: the others.
        before: done to the images first, not timed.
        ours: ties ftloader to tasks; by default with ``apply``.
        more: further ways of ftloader's, by name: title and what ties it.
        compared: whether outputs are; not where each draws for itself.
        params: the parameters of every image, in place of drawn ones.
    """

    name: str
    title: str
    about: str
    make: Callable[[Infos], Transform[Any]]
    peers: tuple[Peer, ...] = ()
    before: Transform[Any] | None = None
    ours: Tie = applied
    more: Mapping[str, tuple[str, Tie]] = field(default_factory=dict)
    compared: bool = True
    params: Any = None

    def tasks(self, inputs: lab.Inputs) -> tuple[list[Task], Transform[Any]]:
        """Return one task per image, always the same, and the transform."""
        samples = samples_of(inputs)
        transform = self.make(Infos([sample.info for sample in samples]))
        return [self._task(inputs, i, samples, transform) for i in range(len(samples))], transform

    def cell(self) -> Cell:
        """Return the case as the laboratory knows it."""
        return Cell(
            name=self.name,
            title=self.title,
            about=self.about,
            unit="µs per image",
            better="lower",
            baseline="ftloader",
            contenders=tuple(
                Contender(way.name, way.title, self._measure(way), way.needs) for way in self.ways()
            ),
            first=1,
            rounds=2,
        )

    def ways(self) -> list[Way]:
        """Return ftloader's ways, then the peers'."""
        mine = {"ftloader": ("ftloader", self.ours), **self.more}
        return [
            *(Way(name, title, tie) for name, (title, tie) in mine.items()),
            *(peer_way(peer) for peer in self.peers),
        ]

    def claims(self) -> list[Claim]:
        """Return the target, once for each peer that does the same."""
        return [
            Claim(f"{self.title}: ftloader's time over that of {peer.title}", self.name,
                  "ftloader", SLOWER, "lower", peer.name)
            for peer in self.peers if peer.judged
        ]  # fmt: skip

    def _task(
        self,
        inputs: lab.Inputs,
        index: int,
        samples: Sequence[Sample],
        transform: Transform[Any],
    ) -> Task:
        sample, rng = samples[index], sample_rng(SEED, 0, index)
        if self.before is not None:
            sample = required(self.before(sample, rng))
        params = self.params
        if params is None:
            params = required(transform.draw(rng, sample.info))
        partners = {i: samples[i] for i in transform.partners(params)}
        return Task(inputs.samples[index].jpeg, sample, params, partners)

    def _measure(self, way: Way) -> Callable[[lab.Inputs, int], Measured]:
        def measure(inputs: lab.Inputs, amount: int) -> Measured:
            tasks, transform = self.tasks(inputs)
            seconds, last = timed(bound := way.tie(tasks, transform), amount)
            value = 1e6 * seconds / (amount * len(tasks))
            if not self.compared:
                return Measured(value, seconds)
            got = bound.outcome(last)
            if way.peer is not None:
                mine = self.ours(tasks[-1:], transform)
                expected = mine.outcome(mine.call(mine.fresh(mine.arguments[0])))
                compare(f"{self.name}, {way.name}", got, expected, way.peer.pixels)
            # A peer's pixels may differ in the last bit, so only ftloader's have a digest.
            digest = digest_of(got) if way.name == "ftloader" else ""
            return Measured(value, seconds, digest)

        return measure


def peer_way(peer: Peer) -> Way:
    module = f"{__package__}.{peer.module}"

    def tie(tasks: Sequence[Task], transform: Transform[Any]) -> Bound:
        # Imported by the laboratory, which has found that it can be.
        bind: Callable[[Sequence[Task]], Bound] = getattr(sys.modules[module], peer.function)
        return bind(tasks)

    return Way(peer.name, peer.title, tie, (module,), peer)


def timed(bound: Bound, passes: int) -> tuple[float, Any]:
    """Call for each argument in turn; return the seconds of the calls and the last output."""
    seconds, last = 0.0, None
    for _ in range(passes):
        for argument in bound.arguments:
            ready = bound.fresh(argument)
            begin = time.perf_counter()
            # The output before is let go of here, inside: giving memory back is part of the cost.
            last = bound.call(ready)
            seconds += time.perf_counter() - begin
    return seconds, last


def compare(where: str, got: Outcome, expected: Outcome, pixels: float | None) -> None:
    """Refuse a peer that did something else than ftloader."""
    if got.image.shape != expected.image.shape:
        raise DigestError(
            f"{where}: the output is {got.image.shape}, ftloader's {expected.image.shape}; "
            "the run is refused"
        )
    if pixels is not None:
        off = float(np.abs(np.subtract(got.image, expected.image, dtype=np.float64)).mean())
        if not off <= pixels:
            raise DigestError(f"{where}: pixels differ by {off:.3g} on average; the run is refused")
    if got.boxes is None or expected.boxes is None:
        return
    if got.boxes.shape != expected.boxes.shape or not np.allclose(
        got.boxes, expected.boxes, atol=0.01
    ):
        raise DigestError(f"{where}: boxes differ; the run is refused")


def digest_of(outcome: Outcome) -> str:
    sampler = Sampler()
    sampler.add([outcome.image, outcome.boxes])
    return f"{sampler.take():08x}"


def required[T](value: T | None) -> T:
    """Return a value that these samples and settings always have."""
    if value is None:
        raise DigestError("a sample was dropped that should have stayed; the run is refused")
    return value
