"""The paper's numbers beside those of an atlas made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nbkit.errors import NbkitError
from nbkit.studies.reproducibility.findings import fingerprints, paper_and_build, setups
from nbkit.studies.shared.estimate import UNDEFINED
from tests.examples.atlas import MANIFEST, MANIFESTS, compared_atlas, example_atlas

PRINTED = {
    "Model": "GPT2-small, 12 layers, 36,864 neurons",
    "Corpus": "OpenWebText, 10,000 examples",
    "Maximum activation from": "Neuroscope, a much larger corpus",
    "An example reaches": "75% of the maximum",
    "Examples kept": "the first 100",
    "Distance of the cut": "0.5",
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_paper_s_scan_stands_beside_this_build_s(name: str) -> None:
    table = setups(compared_atlas(MANIFESTS[name])).written
    assert table["paper"].to_dict() == PRINTED
    assert table["this build"].to_dict() == {
        "Model": "a-model, 2 of 6 layers, 40 neurons",
        "Corpus": "a-corpus, 1,234 contexts of 128 tokens",
        "Maximum activation from": "the scanned corpus",
        "An example reaches": "75% of the maximum",
        "Examples kept": "the first 100",
        "Distance of the cut": "0.5",
    }


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_paper_s_numbers_stand_beside_this_build_s(name: str) -> None:
    table = paper_and_build(compared_atlas(MANIFESTS[name])).written
    assert list(table) == ["paper", "mean", "median"]
    assert table.to_numpy().tolist() == [
        ["0.31", "0.30", "0.30"],
        ["0.63", "0.60", "0.60"],
        ["0.21", "0.20", "0.20"],
        ["0.73", "0.70", "0.70"],
        [UNDEFINED, "0.25", "0.25"],
        [UNDEFINED, "0.65", "0.65"],
        ["6", "2.00", "2.00"],
    ]


def test_given_maxima_are_told() -> None:
    given = example_atlas([{}], replace(MANIFEST, maxima_sha256="56ef"), pre_mlp=[{}], shuffled=[{}])
    assert setups(given).written.loc["Maximum activation from", "this build"] == "a given table"


def test_where_no_neuron_has_enough_examples_the_way_out_is_named() -> None:
    few = example_atlas([{"n_examples": 12}], pre_mlp=[{}], shuffled=[{}])
    with pytest.raises(NbkitError, match=r"no neuron has 20 examples \(the most is 12\): scan more text"):
        paper_and_build(few)


def test_the_fingerprints_are_the_manifest_s() -> None:
    assert fingerprints(example_atlas([{}])).written["sha256"].tolist() == ["12ab", "34cd"]
