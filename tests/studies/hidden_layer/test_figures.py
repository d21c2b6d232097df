"""The figures of the hidden layer's page: every neuron's map, and every neuron's distances beside their controls."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection

from nbkit.errors import NbkitError
from nbkit.studies.hidden_layer.figures import hidden_distributions, hidden_maps
from nbkit.studies.hidden_layer.spaces import IMAGE_KINDS, WEIGHT_KINDS
from tests.examples.figure_data import data_of
from tests.examples.views import view_of
from tests.figures.test_figures import drawn, without_overlap


def test_every_unit_has_its_map_at_its_place() -> None:
    maps = np.stack([np.full(784, float(unit + 1)) for unit in range(20)])
    maps[:, 0] = -50.0
    view = replace(view_of([{}] * 20), activation_maps=maps)
    figure = drawn(hidden_maps(view, columns=8))
    [ax] = figure.axes
    tiles = np.asarray(ax.images[0].get_array())
    assert tiles.shape == (90, 240)
    for unit in (0, 7, 8, 19):
        tile = tiles[30 * (unit // 8) :, 30 * (unit % 8) :][:28, :28]
        assert tile[0, 0] == -1 and tile[5, 5] == pytest.approx((unit + 1) / 50), "each to its own scale"
    assert np.ma.masked_invalid(tiles[60:, 130:]).mask.all(), "nothing after the last"
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0", "8", "16"]
    data = data_of(figure)
    assert data["neuron"].tolist() == list(range(20))
    np.testing.assert_array_equal(data.drop(columns="neuron"), maps)


def spaces(n: int = 7) -> pd.DataFrame:
    rows = [
        {"neuron": neuron, "images": of, "weights": by, "mean_distance": 0.1 * i + 0.01 * neuron}
        for i, (of, by) in enumerate((of, by) for of in IMAGE_KINDS for by in WEIGHT_KINDS)
        for neuron in range(n)
    ]
    return pd.DataFrame(rows).assign(n_clusters=5, agreement=0.3, purity=0.5)


def test_the_medians_of_all_images_and_weights_stand_in_order() -> None:
    figure = drawn(hidden_distributions(spaces()))
    without_overlap(figure)
    titles = ["mean distance", "feature clusters", "agreement with digits", "share of the commonest digit"]
    assert [ax.get_xlabel() for ax in figure.axes] == titles
    medians = [line.get_segments()[0] for line in figure.axes[0].collections if isinstance(line, LineCollection)]
    np.testing.assert_allclose([segment[0][0] for segment in medians], 0.1 * np.arange(9) + 0.03)
    data = data_of(figure)
    of_kinds = data.groupby(["images", "weights"], sort=False)["mean distance"].median()
    np.testing.assert_allclose(of_kinds, 0.1 * np.arange(9) + 0.03)
    assert of_kinds.index[1] == (IMAGE_KINDS["examples"], WEIGHT_KINDS["shuffled"]) and titles == list(data.columns[3:])
    heights = [segment.mean(axis=0)[1] for segment in medians]
    assert heights == sorted(heights)
    assert len([line for line in figure.axes[3].collections if isinstance(line, LineCollection)]) == len(IMAGE_KINDS)
    [legend] = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == list(WEIGHT_KINDS.values())


def test_rows_of_different_weights_do_not_mix() -> None:
    figure = drawn(hidden_distributions(spaces(64)))
    rows = [np.asarray(line.get_ydata()) for line in figure.axes[0].get_lines()]
    assert all(upper.max() < lower.min() for upper, lower in pairwise(rows))


def test_a_table_of_something_else_is_refused() -> None:
    with pytest.raises(NbkitError, match="lacks the columns agreement, purity"):
        hidden_distributions(spaces().drop(columns=["agreement", "purity"]))
