"""The figures of the page of channels: what they show of patches that are known."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nbkit.studies.image_patches.channel_choice import ChannelChoice
from nbkit.studies.image_patches.channel_comparison import PATCH_CONDITIONS, compare_channels
from nbkit.studies.image_patches.channels import Channels
from nbkit.studies.image_patches.figures import all_channels, channel_clusters, channels_beside_controls
from tests.examples.channels import example_channels
from tests.examples.figure_data import data_of
from tests.figures.test_figures import drawn, without_overlap, words


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> Channels:
    return example_channels(tmp_path_factory.mktemp("channels") / "atlas")


def choice_of(channels: Channels, site: int, threshold: float = 0.2) -> ChannelChoice:
    unit = max(channels.atlas.iterate(site), key=len)
    return ChannelChoice(unit, unit.clusters(threshold), "Chosen by hand for a test.")


def shown(ax: Axes) -> np.ndarray:
    return np.asarray(ax.images[0].get_array())


def with_pictures(figure: Figure) -> list[Axes]:
    return [ax for ax in figure.axes if ax.images]


def test_every_channel_has_its_average_and_its_product(channels: Channels) -> None:
    figure = drawn(all_channels(channels))
    without_overlap(figure)
    units = [unit for site in (0, 1) for unit in channels.atlas.iterate(site) if len(unit)]
    titled = {title: ax for ax in figure.axes if (title := ax.get_title(loc="left"))}
    assert list(titled) == [f"{unit.site.name} #{unit.index}" for unit in units]
    assert len(with_pictures(figure)) == 2 * len(units)
    unit = channels.atlas.neuron(0, units[0].index)
    # of the first convolution the patch is what is read
    np.testing.assert_allclose(
        shown(titled[f"conv1 #{unit.index}"]), unit.pre_mlp.mean(axis=0).reshape(5, 5), atol=1e-6
    )
    data = data_of(figure)
    mine = data[data["picture"] == f"{unit.name}: average × weights"]
    product = (unit.pre_mlp * unit.w_in).mean(axis=0).reshape(5, 5)
    np.testing.assert_allclose(mine[[f"column {i + 1}" for i in range(5)]], product, atol=1e-4)


def test_a_patch_is_where_its_box_is(channels: Channels) -> None:
    choice = choice_of(channels, 1)
    figure = drawn(channel_clusters(channels, choice, n_clusters=2, n_patches=3, n_images=1))
    without_overlap(figure)
    first = np.flatnonzero(choice.clusters.labels == 0)
    boxes = channels.atlas.boxes(1)
    assert boxes is not None
    axes = figure.axes[:6]  # average, product, three patches, an image
    top, left, bottom, right = boxes[choice.unit.position[first[0]]]
    assert (bottom - top, right - left) == (14, 14)
    image = channels.inputs[choice.unit.context[first[0]], 0].numpy()
    np.testing.assert_array_equal(shown(axes[2]), image[top:bottom, left:right])
    np.testing.assert_array_equal(shown(axes[5]), image)
    [outline] = [patch for patch in axes[5].patches if isinstance(patch, Rectangle)]
    assert outline.get_bbox().bounds == (left - 0.5, top - 0.5, 14, 14)


def test_products_of_a_unit_add_up_to_its_pre_activations_on_one_scale(channels: Channels) -> None:
    choice = choice_of(channels, 1)
    figure = drawn(channel_clusters(channels, choice, n_clusters=3, n_patches=2, n_images=1))
    unit, labels = choice.unit, choice.clusters.labels
    rows = min(3, choice.clusters.n_clusters)
    assert rows > 1
    scales = set()
    for label, ax in enumerate(figure.axes[1::5][:rows]):
        product = shown(ax)
        assert product.shape == (5, 5)
        assert product.sum() + unit.weights.b_in == pytest.approx(unit.peak[labels == label].mean(), abs=1e-4)
        scales.add(ax.images[0].get_clim())
    assert len(scales) == 1


def test_rows_are_the_largest_clusters_and_say_so(channels: Channels) -> None:
    choice = choice_of(channels, 1, 0.05)
    sizes = choice.clusters.sizes
    assert len(sizes) > 2
    figure = drawn(channel_clusters(channels, choice, n_clusters=2))
    assert f"{choice.name}: the 2 largest of {len(sizes)} clusters at a cut of 0.05" in words(figure)
    labels = [ax.get_ylabel() for ax in figure.axes if ax.get_ylabel()]
    assert labels == [f"{i + 1}: {n} example{'s' if n > 1 else ''}" for i, n in enumerate(sizes[:2])]


def test_a_hidden_unit_sees_whole_images(channels: Channels) -> None:
    choice = choice_of(channels, 2)
    figure = drawn(channel_clusters(channels, choice, n_clusters=1, n_patches=2))
    without_overlap(figure)
    average, product, *images = figure.axes
    first = np.flatnonzero(choice.clusters.labels == 0)
    whole = channels.inputs[choice.unit.context[first], 0].numpy()
    np.testing.assert_allclose(shown(average), whole.mean(axis=0), atol=1e-6)
    assert shown(product).shape == (4, 4)
    assert len(images) == 2
    np.testing.assert_array_equal(shown(images[1]), whole[1])
    assert "first images" in words(figure) and "in the image" not in words(figure)


def test_every_unit_is_a_mark_under_every_condition(channels: Channels) -> None:
    table = compare_channels(channels, 12)
    figure = drawn(channels_beside_controls(channels, table))
    without_overlap(figure)
    distances, agreement = figure.axes
    for ax, measure, n_conditions in ((distances, "mean_distance", 5), (agreement, "agreement", 3)):
        marks = sorted(x for line in ax.lines for x in np.asarray(line.get_xdata(), dtype=float))
        those = table if n_conditions == 5 else table[table["condition"].isin(["own", "shuffled", "none"])]
        np.testing.assert_allclose(marks, np.sort(those[measure]))
        assert len(ax.lines) == 3 * n_conditions
    assert [text.get_text() for text in distances.get_yticklabels()] == [
        "channels of conv1",
        "channels of conv2",
        "units of hidden",
    ]
    data = data_of(figure)
    assert len(data) == len(table) and set(data["condition"]) == set(PATCH_CONDITIONS.values())
