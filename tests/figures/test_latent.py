"""The figures of latents: what they show of numbers that are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nbkit import figures
from nbkit.errors import NbkitError
from nbkit.figures.pictures import NEGATIVE, POSITIVE
from nbkit.mnist.choice import LatentChoice
from nbkit.mnist.view import LatentView, activation_curve
from tests.examples.figure_data import data_of
from tests.figures.test_figures import drawn, without_overlap, words

N = 60
IMAGES_SHOWN = np.random.default_rng(0).random((N, 784))


def choice_of(sizes: list[int], n_images: int = N, name: str = "example SAE") -> LatentChoice:
    """A latent whose clusters have these sizes; its examples are the first images, cluster by cluster."""
    n = sum(sizes)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    rng = np.random.default_rng(1)
    metrics = pd.DataFrame(
        {
            "n_examples": [n],
            "n_clusters": [len(sizes) if n > 1 else np.nan],
            "mean_distance": [0.234 if n > 1 else np.nan],
            "max_distance": [0.678 if n > 1 else np.nan],
        }
    )
    maps, effects = rng.normal(size=(1, 784)), np.array([[-1.0, 2, 0.5, -3, 0, 1, 1, 1, 1, 1]])
    curves = activation_curve(np.concatenate([np.arange(1, n + 1), np.zeros(n_images - n)])[:, None])
    return LatentChoice(
        LatentView(name, metrics, maps, effects, curves, [np.arange(n)], [labels]), 0, "Chosen by hand for a test."
    )


def image_panels(figure: Figure) -> list[np.ndarray]:
    return [np.asarray(ax.images[0].get_array()).ravel() for ax in figure.axes if ax.images]


def panel(figure: Figure, title: str) -> Axes:
    return next(ax for ax in figure.axes if title in (ax.get_title(loc="left"), ax.get_title()))


def test_a_latent_s_maps_are_what_they_are_called() -> None:
    choice = choice_of([20, 5])
    figure = drawn(figures.latent_up_close(choice, IMAGES_SHOWN))
    [activation] = choice.view.activation_maps
    average = IMAGES_SHOWN[:25].mean(axis=0)
    expected = {"activation map": activation, "average example": average, "importance map": activation * average}
    for title, values in expected.items():
        np.testing.assert_allclose(np.asarray(panel(figure, title).images[0].get_array()).ravel(), values)
    assert panel(
        figure, "activation map"
    ).get_xlabel() == f"{activation.min():+.2g} to {activation.max():+.2g}".replace("-", "−")
    for title in ("activation map", "importance map"):
        low, high = panel(figure, title).images[0].get_clim()
        assert low == -high, "white is 0"
    bars = [bar for bar in panel(figure, "logit effects").patches if isinstance(bar, Rectangle)]
    assert [bar.get_height() for bar in bars] == choice.view.logit_effects[0].tolist()
    assert [to_hex(bar.get_facecolor()) for bar in bars[:2]] == [NEGATIVE, POSITIVE]
    pictures = data_of(figure, "pictures")
    assert pictures["picture"].tolist()[:3] == list(expected) and len(pictures) == 3 + 12
    np.testing.assert_allclose(pictures.iloc[:, 1:], image_panels(figure), atol=5e-5)
    assert data_of(figure, "logit effects")["logit effect"].tolist() == choice.view.logit_effects[0].tolist()


def test_the_curve_is_in_per_cent() -> None:
    choice = choice_of([4])
    figure = drawn(figures.latent_up_close(choice, IMAGES_SHOWN))
    even, curve = next(ax for ax in figure.axes if "strongest first" in ax.get_xlabel()).get_lines()
    np.testing.assert_allclose(even.get_xdata(), even.get_ydata())
    assert np.interp([25, 50, 100], curve.get_xdata(), curve.get_ydata()) == pytest.approx([40, 70, 100])  # 4 3 2 1
    np.testing.assert_allclose(data_of(figure, "activation curve").T, [curve.get_xdata(), curve.get_ydata()], rtol=1e-5)


def test_examples_are_drawn_with_a_seed_from_the_latent_s_own() -> None:
    choice = choice_of([30])

    def shown(seed: int) -> list[int]:
        panels = image_panels(figures.latent_up_close(choice, IMAGES_SHOWN, n_examples=12, seed=seed))[3:]
        return [int(np.flatnonzero((panel == IMAGES_SHOWN).all(axis=1))[0]) for panel in panels]

    assert shown(0) == shown(0) != shown(1)
    assert len(set(shown(0))) == 12 and max(shown(0)) < 30
    assert "12 of 30 examples, drawn at random" in words(drawn(figures.latent_up_close(choice, IMAGES_SHOWN)))


@pytest.mark.parametrize("sizes", [[1], [2], [3, 1], [11], [40, 10, 5, 1, 1, 1, 1]])
def test_any_number_of_examples_is_shown(sizes: list[int]) -> None:
    choice = choice_of(sizes)
    n = sum(sizes)
    up_close = drawn(figures.latent_up_close(choice, IMAGES_SHOWN))
    without_overlap(up_close)
    assert len(image_panels(up_close)) == 3 + min(n, 12)
    clusters = drawn(figures.cluster_images(choice, IMAGES_SHOWN))
    without_overlap(clusters)
    assert len(image_panels(clusters)) == sum(2 + min(size, 6) for size in sizes[:5])


def test_headings_say_what_was_measured() -> None:
    assert "Latent 0 of the example SAE: 2 clusters, mean distance 0.23, max 0.68" in words(
        drawn(figures.latent_up_close(choice_of([20, 5]), IMAGES_SHOWN))
    )
    assert "Latent 0 of the example SAE: one example" in words(
        drawn(figures.latent_up_close(choice_of([1]), IMAGES_SHOWN))
    )
    text = words(drawn(figures.cluster_images(choice_of([9, 8, 7, 6, 5, 4]), IMAGES_SHOWN)))
    assert "Latent 0 of the example SAE: the 5 largest of 6 feature clusters" in text
    assert {"1: 9 examples", "5: 5 examples"} <= set(text) and "6: 4 examples" not in text
    text = words(drawn(figures.cluster_images(choice_of([2, 1]), IMAGES_SHOWN)))
    assert "Latent 0 of the example SAE: 2 feature clusters" in text and "2: 1 example" in text


@pytest.mark.parametrize("draw", [figures.latent_up_close, figures.cluster_images])
def test_the_heading_of_the_longest_name_fits(draw: Callable[..., Figure]) -> None:
    choice = choice_of([2] + [1] * 50, name="hidden layer, strongest images")
    figure = drawn(draw(choice, IMAGES_SHOWN))
    [heading] = [text for text in figure.texts if choice.name in text.get_text()]
    assert heading.get_window_extent().x1 < figure.bbox.x1


def test_a_row_has_its_cluster_s_average_and_the_product_with_the_map() -> None:
    choice = choice_of([5, 3])
    figure = drawn(figures.cluster_images(choice, IMAGES_SHOWN, n_images=2))
    panels, data = image_panels(figure), data_of(figure)
    np.testing.assert_allclose(data.iloc[:, 1:], panels, atol=5e-5)
    assert data["picture"].tolist()[4:6] == ["cluster 2: average of 3", "cluster 2: average × activation map"]
    averages = [IMAGES_SHOWN[:5].mean(axis=0), IMAGES_SHOWN[5:8].mean(axis=0)]
    for row, average in enumerate(averages):
        found = panels[4 * row : 4 * row + 4]
        np.testing.assert_allclose(found[0], average)
        np.testing.assert_allclose(found[1], average * choice.view.activation_maps[0])
        np.testing.assert_array_equal(found[2:], IMAGES_SHOWN[[0, 1]] if row == 0 else IMAGES_SHOWN[[5, 6]])


def test_products_share_one_scale() -> None:
    figure = figures.cluster_images(choice_of([5, 3, 2]), IMAGES_SHOWN)
    limits = {ax.images[0].get_clim() for ax in figure.axes[1::8]}
    assert len(limits) == 1


def test_a_blank_latent_is_drawn() -> None:
    choice = choice_of([3])
    view = replace(choice.view, activation_maps=np.zeros((1, 784)), logit_effects=np.zeros((1, 10)))
    for draw in (figures.latent_up_close, figures.cluster_images):
        drawn(draw(replace(choice, view=view), IMAGES_SHOWN))


@pytest.mark.parametrize("draw", [figures.latent_up_close, figures.cluster_images])
def test_a_latent_without_examples_is_named(draw: Callable[..., Figure]) -> None:
    with pytest.raises(NbkitError, match="Latent 0 of the example SAE has no examples to show"):
        draw(choice_of([]), IMAGES_SHOWN)
