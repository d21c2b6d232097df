"""The pages' sentences and tables, for atlases whose numbers are made by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import astuple, replace

import numpy as np
import pandas as pd
import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.manifest import Manifest
from nbkit.errors import NbkitError
from nbkit.studies.embedding_spaces.comparison import MEASURES, compare_spaces, spaces_of
from nbkit.studies.embedding_spaces.findings import METRICS, NAMES, embedding_spaces, paired_table, phrase, table1
from nbkit.studies.index.findings import start_page
from nbkit.studies.neuron_embeddings.findings import faithfulness_table, identity
from nbkit.studies.rare_behaviors.findings import Behaviors, behaviors, rare_behaviors
from nbkit.studies.reproducibility.findings import fingerprints, paper_and_build
from nbkit.studies.shared.provenance import provenance
from nbkit.studies.whole_model.findings import examples_summary, extremes
from tests.examples.atlas import GATED, MANIFEST, example_atlas
from tests.studies.test_faithfulness import random_neuron

MANIFESTS = {"plain": MANIFEST, "gated": GATED}


@pytest.fixture
def atlas(own_atlas: Callable[[str], Atlas]) -> Callable[[str], Atlas]:
    """Copies of atlases, into which tables of metrics may be written."""
    return own_atlas


def compared(manifest: Manifest) -> Atlas:
    """Forty neurons whose three spaces differ by known amounts, the same for each neuron."""
    own = [{"intra_cluster": 0.2, "inter_cluster": 0.7, "silhouette_matched": 0.4, "token_agreement_matched": 0.3}] * 40
    pre_mlp = [
        {"intra_cluster": 0.3, "inter_cluster": 0.6, "silhouette_matched": 0.3, "token_agreement_matched": value}
        for value in [0.25, 0.35] * 20
    ]
    shuffled = [
        {"intra_cluster": 0.25, "inter_cluster": 0.65, "silhouette_matched": 0.45, "token_agreement_matched": math.nan}
    ] * 40
    spaces: dict[str, list[dict[str, float]]] = {
        "pre_mlp": pre_mlp,
        "shuffled": shuffled,
        "gate": [{"intra_cluster": 0.1}] * 40,
        "up": [{}] * 40,
    }
    return example_atlas(own, manifest, **spaces)


def spread() -> Atlas:
    """Ten neurons in 20 examples and more, and two with fewer."""
    shares = [1.0] * 4 + [0.95, 0.9, 0.89, 0.5, 0.4, 0.3]
    rows = [
        {"n_clusters": 1 if share == 1 else 2, "largest_share": share, "n_examples": 20 + i}
        for i, share in enumerate(shares)
    ]
    rows += [{"n_clusters": 9, "n_examples": 19}, {"n_clusters": math.nan, "n_examples": 1}]
    return example_atlas(rows, pre_mlp=[{}] * 12, shuffled=[{}] * 12)


def test_the_provenance_names_everything_that_made_the_numbers() -> None:
    assert provenance(example_atlas([{}]), "quick")._repr_markdown_() == (
        "*Made by profile `quick`: model `a-model` (float32 on cpu, input weights as the model has them), 2 of 6 "
        "layers, corpus `a-corpus`, 1,234 contexts of 128 tokens; examples reach 75% of a neuron's maximum, the first "
        "100 are kept; embedding `input`; seed 7; nbkit 0.1.0, torch 2.8.0.*"
    )
    folded = provenance(example_atlas([{}], replace(GATED, weights="folded")), "mine").markdown
    assert "input weights with the layer norm folded in" in folded and "embedding `gradient`" in folded


@pytest.mark.parametrize(
    ("architecture", "sums"),
    [("gpt2", ["input"]), ("bert", ["input"]), ("llama", ["gate", "up"])],
)
def test_the_sums_of_the_embeddings_give_the_captured_activation(
    architecture: str, sums: list[str], tiny_atlas: Callable[[str], Atlas]
) -> None:
    neuron = max((tiny_atlas(architecture).neuron(1, index) for index in range(40)), key=len)
    table = identity(neuron, n=5)
    columns = [f"sum of the {kind} embedding + bias" for kind in sums]
    assert list(table) == ["key token", *columns, "activation", "captured", "difference"]
    assert len(table) == 5
    assert table["key token"].tolist() == [snippet.key_token for snippet in neuron.snippets[:5]]
    assert table["captured"].tolist() == neuron.peak[:5].tolist()
    np.testing.assert_allclose(table["difference"], 0, atol=1e-4 * neuron.max_activation)
    weights = neuron.weights.w_in if sums == ["input"] else neuron.weights.w_gate
    bias = neuron.weights.b_in if sums == ["input"] else neuron.weights.b_gate
    assert weights is not None
    np.testing.assert_allclose(table[columns[0]], neuron.pre_mlp[:5] @ weights + bias, rtol=1e-4, atol=1e-5)


def test_both_biases_of_a_gated_neuron_count() -> None:
    neuron = random_neuron(4, "tanh", gated=True)
    w = neuron.weights
    assert w.w_gate is not None and w.b_gate and w.b_in
    gate, up = neuron.pre_mlp @ w.w_gate + w.b_gate, neuron.pre_mlp @ w.w_in + w.b_in
    table = identity(neuron, n=8)
    np.testing.assert_allclose(table["sum of the gate embedding + bias"], gate, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(table["sum of the up embedding + bias"], up, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(table["activation"], np.tanh(gate) * up, rtol=1e-4, atol=1e-5)


def test_faithfulness_is_a_mean_with_its_interval_best_first() -> None:
    table = pd.DataFrame({"kind": ["gate", "up"] * 3 + ["gradient"] * 2, "faithfulness": [0.1, 0.2] * 3 + [0.7, 0.9]})
    result = faithfulness_table(table)
    assert result.index.tolist() == [
        "neuron embedding (gradient)",
        "neuron embedding (up)",
        "neuron embedding (gate)",
    ]
    assert result["mean"].tolist() == pytest.approx([0.8, 0.2, 0.1])
    assert result.iloc[0][["low", "high"]].tolist() == pytest.approx([0.7, 0.9])
    assert result.iloc[1][["low", "high"]].tolist() == pytest.approx([0.2, 0.2])


def test_behaviors_count_the_neurons_with_enough_examples() -> None:
    expected = Behaviors(n_neurons=12, n_enough=10, median_clusters=2, several=0.6, hidden=0.2, median_largest=0.925)
    assert astuple(behaviors(spread())) == pytest.approx(astuple(expected))
    assert behaviors(spread(), min_examples=26).n_enough == 4
    text = rare_behaviors(spread()).markdown
    assert text.startswith("Of the 10 neurons with at least 20 examples, 60.0% have more than one feature cluster")
    assert "In **20.0%** the largest cluster holds at least nine tenths" in text


def test_where_no_neuron_has_enough_examples_the_way_out_is_named() -> None:
    few = example_atlas([{"n_examples": 12}], pre_mlp=[{}], shuffled=[{}])
    for finding in (behaviors, rare_behaviors, start_page, paper_and_build):
        with pytest.raises(NbkitError, match=r"no neuron has 20 examples \(the most is 12\): scan more text"):
            finding(few)


PHRASES = [
    ((0.0123, 0.01, 0.014, 9), "higher by 0.012 (95% interval +0.010 to +0.014) than"),
    ((-0.0123, -0.014, -0.01, 9), "lower by 0.012 (95% interval -0.014 to -0.010) than"),
    ((0.002, -0.001, 0.005, 9), "not measurably different (+0.002, 95% interval -0.001 to +0.005) from"),
    ((-0.002, -0.005, 0.0, 9), "not measurably different (-0.002, 95% interval -0.005 to +0.000) from"),
    ((math.nan, math.nan, math.nan, 0), "in no neuron defined together with"),
]


@pytest.mark.parametrize(("numbers", "words"), PHRASES)
def test_a_difference_reads_as_words(numbers: tuple[float, float, float, int], words: str) -> None:
    value, low, high, n = numbers
    row = {"metric": "silhouette", "statistic": "mean", "value": value, "low": low, "high": high, "n": n}
    table = pd.DataFrame([{**row, "statistic": "median", "value": 9.0}, {**row, "metric": "n_clusters", "n": 1}, row])
    assert phrase(table, "silhouette") == words


@pytest.mark.parametrize("name", MANIFESTS)
def test_what_table_1_supports_follows_its_numbers(name: str) -> None:
    lines = embedding_spaces(compared(MANIFESTS[name])).markdown.splitlines()
    assert len(lines) == 3
    assert "moves by -0.100 within and +0.100 between clusters. With another" in lines[0]
    assert "it moves by -0.050 within and +0.050 between clusters." in lines[0]
    assert (
        "The silhouette of the neuron embedding is higher by 0.100 (95% interval +0.100 to +0.100) than that of the "
        "pre-MLP vector, and lower by 0.050 (95% interval -0.050 to -0.050) than that of the control."
    ) in lines[1]
    assert re.search(
        r"is not measurably different \([+-]0\.000, 95% interval -0\.0\d\d to \+0\.0\d\d\) from that of the pre-MLP "
        r"vector, and in no neuron defined together with that of the control\.$",
        lines[2],
    )


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_start_page_states_the_numbers(name: str) -> None:
    lines = start_page(compared(MANIFESTS[name])).markdown.splitlines()
    assert [line[:2] for line in lines] == ["1.", "2.", "3.", "4.", "5."]
    assert "40 neurons of `a-model` over 1,234 contexts of 128 tokens from `a-corpus`; 40 neurons have" in lines[0]
    assert "100.0% of those neurons have more than one" in lines[1] and "the median neuron has 2 (" in lines[1]
    assert "In 0.0% of them" in lines[2]
    assert (
        "is 0.30 and 0.60 for pre-MLP vectors, 0.20 and 0.70 for neuron embeddings, and 0.25 and 0.65 with" in lines[3]
    )
    assert "is higher by 0.100" in lines[4] and "is not measurably different" in lines[4]
    assert "nan" not in "".join(lines)


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_paper_s_numbers_stand_beside_this_build_s(name: str) -> None:
    atlas = compared(MANIFESTS[name])
    table = paper_and_build(atlas)
    assert list(table) == ["paper", "this build"]
    build = table["this build"].to_dict()
    assert build["Model"] == "a-model, 2 of 6 layers, 40 neurons"
    assert build["Maximum activation from"] == "the scanned corpus"
    assert build["Table 1, pre-MLP, intra-cluster"] == "0.30 mean, 0.30 median"
    assert build["Table 1, neuron, inter-cluster"] == "0.70 mean, 0.70 median"
    assert build["Control, intra-cluster"] == "0.25 mean, 0.25 median"
    assert build["Figure 2, clusters of one neuron"] == "2 in the median neuron"
    given = example_atlas([{}], replace(MANIFEST, maxima_sha256="56ef"), pre_mlp=[{}], shuffled=[{}])
    assert paper_and_build(given).loc["Maximum activation from", "this build"] == "a given table"


def test_the_spaces_of_table_1() -> None:
    assert spaces_of(example_atlas([{}])) == ("pre_mlp", "input", "shuffled")
    assert spaces_of(example_atlas([{}], GATED)) == ("pre_mlp", "gradient", "gate", "up", "shuffled")
    gate = replace(GATED, embedding="gate")
    assert spaces_of(example_atlas([{}], gate)) == ("pre_mlp", "gate", "up", "shuffled")


@pytest.mark.parametrize("name", MANIFESTS)
def test_table_1_has_a_column_per_space_and_no_nan(name: str) -> None:
    atlas = compared(MANIFESTS[name])
    kinds = spaces_of(atlas)
    table = table1(compare_spaces(atlas, kinds), "mean")
    assert list(table) == [NAMES[kind] for kind in kinds]
    assert table.index.tolist() == [METRICS[metric] for metric in MEASURES]
    assert list(table.loc["intra-cluster"])[:2] == ["0.300 ± 0.000", "0.200 ± 0.000"]
    assert table.loc["agreement with key tokens, equal number of clusters"].iloc[-1] == "undefined"
    assert not table.map(lambda cell: "nan" in cell).any(axis=None)


def test_a_cell_holds_half_the_width_of_the_interval() -> None:
    rows = [
        {"kind": "input", "metric": metric, "statistic": name, "value": value, "low": 0.1, "high": 0.3, "n": 5}
        for metric in MEASURES
        for name, value in (("mean", 0.25), ("median", 0.2))
    ]
    assert table1(pd.DataFrame(rows), "mean").to_numpy().tolist() == [["0.250 ± 0.100"]] * len(MEASURES)
    assert table1(pd.DataFrame(rows), "median").columns.name == "median"


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_paired_table_has_differences_and_shares(name: str) -> None:
    table = paired_table(compared(MANIFESTS[name]))
    other, control = NAMES["pre_mlp"], NAMES["shuffled"]
    assert list(table) == [f"minus {other}", f"share above {other}", f"minus {control}", f"share above {control}"]
    rows = {label: list(row) for label, row in table.iterrows()}
    assert rows["silhouette, equal number of clusters"] == ["0.100 ± 0.000", "100%", "-0.050 ± 0.000", "0%"]
    agreement = rows["agreement with key tokens, equal number of clusters"]
    assert agreement[1:] == ["50%", "undefined", "undefined"]


def test_the_summary_of_examples_counts() -> None:
    rows = [{"n_examples": n} for n in (0, 0, 1, 5, 20, 30, 100, 100)]
    assert examples_summary(example_atlas(rows)).markdown == (
        "8 neurons in 2 layers. 25.0% have no example, 12.5% have one, 50.0% have at least 20, and 25.0% have all 100 "
        "that are kept; the median is 12.5."
    )


def test_the_fingerprints_are_the_manifest_s() -> None:
    assert fingerprints(example_atlas([{}]))["value"].tolist() == ["12ab", "34cd"]


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_of_a_real_atlas_every_finding_has_its_numbers(architecture: str, atlas: Callable[[str], Atlas]) -> None:
    opened = atlas(architecture)
    for kind in spaces_of(opened):
        opened.metrics(kind, progress=False)
    few = {"min_examples": 5}
    texts = [
        examples_summary(opened).markdown,
        rare_behaviors(opened, **few).markdown,
        embedding_spaces(opened, **few).markdown,
    ]
    assert not [text for text in texts if re.search(r"\bnan\b", text)]
    assert paired_table(opened, **few).shape == (len(MEASURES), 4)
    table = extremes(opened)
    most = opened.neurons["n_examples"].max()  # fewer than 50: only the neurons that have as many are compared
    assert len(table) == 2 * min(5, (opened.neurons["n_examples"] == most).sum())
    for row in table.to_dict("records"):
        layer, index = map(int, re.fullmatch(r"L(\d+) N(\d+)", row["neuron"]).groups())  # type: ignore[union-attr]
        assert row["examples"] == len(opened.neuron(layer, index))
        assert row["clusters"] == opened.neuron(layer, index).clusters(0.5).n_clusters
    assert [label for label in table.index if label] == ["most clusters", "smallest mean distance"]
