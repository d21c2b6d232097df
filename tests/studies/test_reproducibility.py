"""The paper's numbers beside those of an atlas made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nbkit.errors import NbkitError
from nbkit.studies.reproducibility.findings import fingerprints, paper_and_build
from tests.examples.atlas import MANIFEST, MANIFESTS, compared_atlas, example_atlas

PRINTED = {
    "Model": "GPT2-small, 12 layers, 36,864 neurons",
    "Corpus": "OpenWebText, 10,000 examples",
    "Maximum activation from": "Neuroscope, a much larger corpus",
    "An example reaches": "75% of the maximum",
    "Examples kept": "the first 100",
    "Distance of the cut": "0.5",
    "Table 1, pre-MLP, intra-cluster": "0.31",
    "Table 1, pre-MLP, inter-cluster": "0.63",
    "Table 1, neuron, intra-cluster": "0.21",
    "Table 1, neuron, inter-cluster": "0.73",
    "Control, intra-cluster": "not given",
    "Control, inter-cluster": "not given",
    "Figure 2, clusters of one neuron": "6",
    "Figure 3, common to rare": "almost 50:1",
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_paper_s_numbers_stand_beside_this_build_s(name: str) -> None:
    table = paper_and_build(compared_atlas(MANIFESTS[name]))
    assert list(table) == ["paper", "this build"]
    assert table["paper"].to_dict() == PRINTED
    build = table["this build"].to_dict()
    assert build["Model"] == "a-model, 2 of 6 layers, 40 neurons"
    assert build["Corpus"] == "a-corpus, 1,234 contexts of 128 tokens"
    assert build["Maximum activation from"] == "the scanned corpus"
    assert build["An example reaches"] == "75% of the maximum" and build["Examples kept"] == "the first 100"
    assert build["Table 1, pre-MLP, intra-cluster"] == "0.30 mean, 0.30 median"
    assert build["Table 1, neuron, inter-cluster"] == "0.70 mean, 0.70 median"
    assert build["Control, intra-cluster"] == "0.25 mean, 0.25 median"
    assert build["Figure 2, clusters of one neuron"] == "2 in the median neuron"
    assert build["Figure 3, common to rare"] == "at least 9:1 in 0.0% of the neurons"


def test_given_maxima_are_told() -> None:
    given = example_atlas([{}], replace(MANIFEST, maxima_sha256="56ef"), pre_mlp=[{}], shuffled=[{}])
    assert paper_and_build(given).loc["Maximum activation from", "this build"] == "a given table"


def test_where_no_neuron_has_enough_examples_the_way_out_is_named() -> None:
    few = example_atlas([{"n_examples": 12}], pre_mlp=[{}], shuffled=[{}])
    with pytest.raises(NbkitError, match=r"no neuron has 20 examples \(the most is 12\): scan more text"):
        paper_and_build(few)


def test_the_fingerprints_are_the_manifest_s() -> None:
    assert fingerprints(example_atlas([{}]))["value"].tolist() == ["12ab", "34cd"]
