"""The golden files hold what the references give; ``--write-golden`` writes them anew."""

from __future__ import annotations

import numpy as np
import pytest

from ftloader.detection.sample import Sample
from ftloader.detection.transforms.mosaic import Mosaic
from ftloader.detection.transforms.photometric import PhotoMetricDistortion
from tests.golden.cases import CASES, INPUTS, Case
from tests.golden.files import MASKS, TRANSFORMS, read_outcomes, write_outcomes
from tests.golden.outcome import EXACT, Outcome, assert_close
from tests.oracle.mask_cases import golden_masks
from tests.oracle.mmdet_side import mixup, mosaic, run
from tests.oracle.results import from_results, to_results

#: What all files may take together, bytes.
LARGEST = 500_000


def reference(case: Case, sample: Sample) -> Outcome:
    params = case.params_for(sample)
    if case.mixing:
        partners = params.partners if isinstance(case.transform, Mosaic) else (params.partner,)
        taken = [sample, *(INPUTS[i] for i in partners)]
        results = [to_results(one, outlines="none") for one in taken]
        mix = mosaic if isinstance(case.transform, Mosaic) else mixup
        outcome = from_results(mix(case.transform, params, results))
    else:
        outcome = from_results(run(case.transform, params, to_results(sample)))
    assert outcome is not None
    if isinstance(case.transform, PhotoMetricDistortion):
        # mmdet's floats as bytes.
        outcome = rounded(outcome)
    return outcome


def rounded(outcome: Outcome) -> Outcome:
    image = np.clip(np.floor(outcome.image + 0.5), 0, 255).astype(np.uint8)
    return Outcome(image, outcome.boxes, outcome.labels, outcome.crowd, outcome.masks)


def test_the_transforms_file_holds_what_the_references_give(pytestconfig: pytest.Config) -> None:
    expected = {
        f"{case}/{name}": reference(CASES[case], INPUTS.by_name[name])
        for case in CASES
        for name in CASES[case].inputs
    }
    if pytestconfig.getoption("--write-golden"):
        write_outcomes(expected)
    stored = read_outcomes()
    assert stored.keys() == expected.keys()
    for name, outcome in expected.items():
        assert_close(stored[name], outcome, EXACT, name)


def test_the_mask_file_holds_what_pycocotools_gives(pytestconfig: pytest.Config) -> None:
    expected = golden_masks()
    if pytestconfig.getoption("--write-golden"):
        np.savez_compressed(MASKS, **expected)
    with np.load(MASKS) as stored:
        assert sorted(stored.files) == sorted(expected)
        for name, array in expected.items():
            np.testing.assert_array_equal(stored[name], array, err_msg=name)


def test_the_files_are_small() -> None:
    assert TRANSFORMS.stat().st_size + MASKS.stat().st_size < LARGEST
