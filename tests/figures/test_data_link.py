"""The data of a figure: what is drawn, as tables that a reader can take along."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nbkit import figures
from nbkit.figures.data_link import as_csv, data_link
from nbkit.figures.style import BookFigure
from nbkit.method.clusters import cosine_distances
from nbkit.studies.embedding_spaces.figures import table1_intervals
from tests.examples.figure_data import LINK, data_of
from tests.figures.test_figures import FIVE, FakeNeuron, intervals, many_neurons


def test_a_table_comes_back_as_it_was_and_hostile_names_stay_text() -> None:
    table = pd.DataFrame({"λ₂, with a comma": [0.1234567, np.nan], "text": ['a "b"\n</a><script>', "=1+1"]})
    html = data_link({"": table}, 'a"b', "table")
    assert "<script" not in html and 'download="a&quot;b.csv"' in html and ">Data of this table (CSV)<" in html
    [(_, code, _)] = LINK.findall(html)
    read = pd.read_csv(io.BytesIO(base64.b64decode(code)))
    assert read.columns.tolist() == table.columns.tolist()
    assert read["text"].tolist() == table["text"].tolist()
    assert read.iloc[0, 0] == 0.123457 and np.isnan(read.iloc[1, 0])
    assert as_csv(table).startswith('"λ₂, with a comma",text\n')
    assert data_link({}, "nothing") == ""


def test_the_notebook_shows_the_link_below_the_figure() -> None:
    figure = figures.polysemanticity_by_layer(many_neurons())
    assert isinstance(figure, BookFigure)
    html = figure._repr_mimebundle_()["text/html"]
    assert html.index("<img") < html.index('<p class="nbkit-data">')
    assert 'download="polysemanticity-by-layer.csv"' in html


def test_layers_carry_the_quartiles_that_are_drawn() -> None:
    neurons = many_neurons()
    figure = figures.polysemanticity_by_layer(neurons)
    data = data_of(figure)
    kept = neurons[neurons["n_examples"] >= 20].groupby("layer")
    assert data["layer"].tolist() == sorted(set(neurons.loc[neurons["n_examples"] >= 20, "layer"]))
    for q, name in ((0.25, "lower quartile"), (0.5, "median"), (0.75, "upper quartile")):
        np.testing.assert_allclose(
            data[f"mean distance (cosine), {name}"], kept["mean_distance"].quantile(q), rtol=1e-5
        )
    assert len(data.columns) == 1 + 3 * 3
    for ax, column in zip(figure.axes, data.columns[2::3], strict=True):
        np.testing.assert_allclose(ax.lines[0].get_ydata(), data[column], rtol=1e-5)


def test_shares_and_histograms_carry_the_steps_that_are_drawn() -> None:
    figure = figures.largest_share_distribution(many_neurons())
    data = data_of(figure)
    [line] = figure.axes[0].lines
    steps = np.asarray(line.get_ydata(), dtype=np.float64)
    assert np.abs(data.iloc[:, [1]].to_numpy() - steps).min(axis=1).max() < 1e-5 and data.iloc[-1, 1] == 1.0
    assert data.iloc[:, 0].is_monotonic_increasing

    figure = figures.metric_distributions(many_neurons())
    data = data_of(figure)
    bars = [bar.get_height() for ax in figure.axes for bar in ax.patches if isinstance(bar, Rectangle)]
    np.testing.assert_allclose(data["share of neurons"], bars, rtol=1e-5)
    assert data.columns.tolist() == ["metric", "from", "to", "share of neurons"]
    assert data["metric"].nunique() == len(figure.axes)


@pytest.mark.parametrize("draw", [figures.cluster_dendrogram, figures.rare_behavior])
def test_a_tree_carries_its_examples_and_its_branches(draw: Callable[[FakeNeuron], Figure]) -> None:
    neuron = FakeNeuron(FIVE)
    examples, tree = data_of(draw(neuron), "examples"), data_of(draw(neuron), "tree")
    clusters = neuron.clusters()
    assert sorted(examples["example"]) == list(range(len(FIVE)))
    assert (examples["cluster"].to_numpy() == clusters.labels[examples["example"]] + 1).all()
    assert examples["text"].tolist() == [str(neuron.snippets[i]) for i in examples["example"]]
    np.testing.assert_allclose(tree["average cosine distance"], clusters.linkage[:, 2], rtol=1e-5)
    assert tree["branch"].iloc[-1] == 2 * len(FIVE) - 2 and tree["examples"].iloc[-1] == len(FIVE)


def test_spaces_and_the_illustration_carry_distances_vectors_and_axes() -> None:
    neuron = FakeNeuron(FIVE)
    figure = figures.compare_embedding_spaces(neuron)
    distances, axes = data_of(figure, "distances"), data_of(figure, "principal axes")
    expected = cosine_distances(neuron.embeddings("input"))[distances["example"], distances["other example"]]
    np.testing.assert_allclose(distances["cosine distance, neuron embedding"], expected, atol=1e-5)
    assert len(distances) == 32 * 31 / 2 and axes["cluster"].tolist() == [1] * 20 + [2] * 12

    figure = figures.embedding_illustration(neuron)
    strips, axes = data_of(figure, "strips"), data_of(figure, "principal axes")
    np.testing.assert_allclose(
        strips["pre-MLP vector"] * strips["input weight"], strips["neuron embedding"], rtol=1e-3, atol=1e-6
    )
    assert len(axes) == len(FIVE)
    points = figure.axes[-1].collections[0].get_offsets()
    np.testing.assert_allclose(axes.iloc[:, -2:], points, atol=1e-5)


def test_table_1_carries_the_papers_numbers_beside_its_own() -> None:
    table = intervals(("pre_mlp", "input", "shuffled"), ("intra_cluster", "inter_cluster"))
    data = data_of(table1_intervals(table))
    np.testing.assert_allclose(data["value"], table["value"], rtol=1e-5)
    printed = data[data["paper (GPT2-small)"].notna()]
    assert set(printed["statistic"]) == {"mean"} and sorted(printed["paper (GPT2-small)"]) == [0.21, 0.31, 0.63, 0.73]
