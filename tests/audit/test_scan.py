"""The static scan: what it must find, what it must not accuse, and what it says of it."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ftloader.audit.scan import RULES, detect
from ftloader.audit.scan.source import shown
from ftloader.audit.subject import Subject, Target
from ftloader.audit.verdict import Evidence
from ftloader.detection import open_coco
from ftloader.detection.augment import Augment
from ftloader.detection.coco import CocoFolder
from ftloader.detection.synthetic import SyntheticSpec, write_synthetic_coco
from ftloader.detection.transforms.recipes import RECIPES
from ftloader.safety import ThreadSafety
from tests.audit import canaries, scan_cases


def scanned(name: str, module: str = "canaries", style: str | None = "sample-rng") -> Evidence:
    path = f"tests.audit.{module}:{name}"
    samples = "tests.audit.canaries:samples"
    return detect(Subject(Target(name=name, path=path, samples=samples, style=style)))


class Direct:
    """A subject of an object that is made here."""

    def __init__(self, make: Callable[[], Any], samples: Sequence[Any] = ()) -> None:
        self.fresh = make
        self.samples = samples
        self.convention = None
        self.declared: ThreadSafety | None = None


@pytest.mark.parametrize("canary", canaries.CANARIES, ids=lambda canary: canary.kind.__name__)
def test_every_canary_that_source_can_show_is_caught(canary: canaries.Canary) -> None:
    evidence = scanned(canary.kind.__name__)
    against = [finding for finding in evidence.findings if finding.effect != "caution"]
    assert bool(against) == ("scan" in canary.must), evidence


@pytest.mark.parametrize("kind", canaries.GOOD, ids=lambda kind: kind.__name__)
def test_a_good_transform_is_clean(kind: type[Any]) -> None:
    assert scanned(kind.__name__).status == "clean"


@pytest.mark.parametrize("kind", scan_cases.FOUND, ids=lambda kind: kind.__name__)
def test_each_way_to_break_a_rule_is_found(kind: type[Any]) -> None:
    rule, _, said = (kind.__doc__ or "").partition(": ")
    evidence = scanned(kind.__name__, "scan_cases")
    assert (rule, True) in {(each.rule, said in each.what) for each in evidence.findings}, evidence
    assert {finding.hint for finding in evidence.findings} <= {each.hint for each in RULES.values()}


@pytest.mark.parametrize("kind", scan_cases.GOOD, ids=lambda kind: kind.__name__)
def test_what_only_looks_like_a_defect_is_not_accused(kind: type[Any]) -> None:
    evidence = scanned(kind.__name__, "scan_cases")
    assert evidence.status == "clean", evidence.findings


def test_a_counter_in_a_closure_is_found() -> None:
    (finding,) = detect(Direct(scan_cases.counting)).findings
    assert (finding.rule, finding.what) == ("S04", "assigns the outer name calls in transform()")


def test_a_finding_says_what_where_and_what_it_does() -> None:
    (finding,) = scanned("ParameterOnSelf").findings
    line = canaries.ParameterOnSelf.__call__.__code__.co_firstlineno + 1
    assert finding.what == "assigns self.scale in __call__()"
    assert finding.where == f"{shown(canaries.__file__)}:{line}"
    assert (finding.rule, finding.effect) == ("S01", "latent")
    assert finding.hint == RULES["S01"].hint


@pytest.mark.parametrize(
    ("name", "effect"),
    [("InstanceRng", "order"), ("GlobalRng", "order"), ("BoxesInPlace", "wrong data")],
)
def test_effects_follow_from_the_rule(name: str, effect: str) -> None:
    assert {finding.effect for finding in scanned(name).findings} == {effect}


def test_seeding_is_told_from_drawing() -> None:
    seeds, draws = scanned("Seeds").findings
    assert (seeds.effect, draws.effect) == ("latent", "order")
    assert "seed" in seeds.hint


def test_who_owns_the_input_is_only_cautioned_about_what_it_holds() -> None:
    subject = Direct(canaries.BoxesInPlace, canaries.samples())
    subject.convention = type("Owning", (), {"owns_input": True})()  # type: ignore[assignment]
    assert detect(subject).status == "clean"  # the dict itself is the call's own
    subject.fresh = scan_cases.HelperInPlace
    assert [finding.effect for finding in detect(subject).findings] == ["caution"]


def test_a_lock_excuses_only_who_declares_it() -> None:
    subject = Direct(canaries.HalfLocked, canaries.samples())
    assert detect(subject).status == "found"
    subject.declared = ThreadSafety.LOCKED
    assert detect(subject).status == "clean"


def test_declared_state_of_a_nested_transform_is_excused_too() -> None:
    class Outer:
        def __init__(self) -> None:
            self.inner = canaries.GoodScratch()

        def __call__(self, sample: Any, rng: np.random.Generator) -> Any:
            return self.inner(sample, rng)

    assert detect(Direct(Outer, canaries.samples())).status == "clean"


def test_partials_bound_methods_and_functions_are_followed() -> None:
    counter = scan_cases.ModuleList()
    for made in (functools.partial(counter), counter.__call__, lambda item: counter(item)):
        evidence = detect(Direct(lambda made=made: made))  # type: ignore[misc]
        assert [finding.rule for finding in evidence.findings] == ["S05"]


def test_what_has_no_source_is_not_run_and_says_so() -> None:
    names: dict[str, Any] = {"__name__": "made_up"}
    exec("def transform(sample): sample['x'] = 1", names)
    for made in (len, names["transform"]):
        evidence = detect(Direct(lambda made=made: made))  # type: ignore[misc]
        assert (evidence.status, evidence.findings) == ("not run", ())
        assert "no Python source" in evidence.text


def test_the_transform_is_never_called_nor_its_properties() -> None:
    class Explodes:
        @property
        def table(self) -> Any:
            raise AssertionError("read")

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(name)

        def __call__(self, sample: Any) -> Any:
            raise AssertionError(f"called {self.table}")

    assert detect(Direct(Explodes)).status == "clean"


def test_recursion_and_cycles_come_to_an_end() -> None:
    class Loop:
        def __init__(self) -> None:
            self.me: Any = self
            self.items = [self, [self]]

        def __call__(self, sample: Any, depth: int = 3) -> Any:
            return self.me(sample[0], depth - 1) if depth else self.items[0](sample)

    assert detect(Direct(Loop)).status == "clean"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> CocoFolder:
    path = tmp_path_factory.mktemp("scan") / "data"
    return open_coco(write_synthetic_coco(SyntheticSpec(images=2, seed=1), path, progress=False))


@pytest.mark.parametrize("name", RECIPES)
def test_our_own_recipes_are_clean_down_to_their_kernels(folder: CocoFolder, name: str) -> None:
    recipe = detect(Direct(lambda: RECIPES[name](folder), [folder.load(0)]))
    whole = detect(Direct(lambda: Augment(folder, RECIPES[name](folder)), [0]))
    for evidence in (recipe, whole):
        assert evidence.status == "clean", evidence.findings
        assert evidence.numbers["functions"] > 20
        assert "every call" not in evidence.text


def test_paths_are_shown_from_the_working_or_the_package_folder(tmp_path: Path) -> None:
    assert shown("/env/lib/python3.12/site-packages/mmcv/utils.py") == "mmcv/utils.py"
    assert shown(str(Path.cwd() / "tests" / "x.py")) == str(Path("tests/x.py"))
    assert shown(str(tmp_path / "x.py")) == str(tmp_path / "x.py")


def test_the_scan_imports_nothing() -> None:
    before = set(sys.modules)
    scanned("ImportedInside", "scan_cases")
    assert {name for name in set(sys.modules) - before if not name.startswith("ftloader")} == set()


def test_what_an_installed_package_of_others_does_is_a_caution(tmp_path, monkeypatch):
    """Nothing says that it is reached, or that it has no lock of its own."""
    package = tmp_path / "site-packages" / "others"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("SEEN = []\ndef note(x):\n    SEEN.append(x)\n")
    (tmp_path / "mine.py").write_text(
        "import others\n"
        "SEEN = []\n"
        "class Calls:\n"
        "    def __call__(self, sample, rng):\n"
        "        others.note(sample)\n"
        "        SEEN.append(sample)\n"
        "        return sample\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    subject = SimpleNamespace(
        declared=None, convention=None, samples=[{}], fresh=importlib.import_module("mine").Calls
    )
    effects = {one.where.rpartition("/")[2]: one.effect for one in detect(subject).findings}
    assert effects == {"__init__.py:3": "caution", "mine.py:6": "latent"}
