"""What latents read: loops over latents written from the definitions, and a latent that reads one neuron alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbkit.errors import NbkitError
from nbkit.method.controls import other_units, random_inputs
from nbkit.mnist.images import MEAN, STD
from nbkit.studies.latent_up_close.inputs_read import inputs_of_latents
from tests.examples.hidden import example_hidden, example_sae, hidden_view, sae_view


def mean_distance(embeddings: np.ndarray) -> float:
    """Over all pairs; an embedding of zeros is at distance 1 from every other."""
    n, total = len(embeddings), 0.0
    for i in range(n):
        for k in range(i):
            lengths = np.linalg.norm(embeddings[i]) * np.linalg.norm(embeddings[k])
            total += 1 - embeddings[i] @ embeddings[k] / lengths if lengths else 1
    return total / (n * (n - 1) / 2) if n > 1 else np.nan


@pytest.mark.parametrize("seed", [0, 3])
def test_every_column_equals_a_loop_over_latents(seed: int) -> None:
    hidden, sae = example_hidden(110), example_sae()
    view = sae_view(hidden, sae)
    h, w = hidden.test.double().numpy(), sae.w_enc.double().numpy()
    images, maps = ((hidden.test_pixels - MEAN) / STD).double().numpy(), view.activation_maps
    other, random = other_units(sae.d_sae, seed), random_inputs(len(h), 100, seed)
    rows = []
    for j, examples in enumerate(view.examples):
        squares = (w[:, j] * h.std(0)) ** 2
        neuron = int(squares.argmax())
        effects = view.logit_effects[j]
        rows.append(
            {
                "neuron": neuron,
                "share": squares.max() / squares.sum(),
                "own": mean_distance(h[examples] * w[:, j]),
                "shuffled": mean_distance(h[examples] * w[:, other[j]]),
                "random": mean_distance(h[random] * w[:, j]),
                "neuron_on": mean_distance(h[np.flatnonzero(h[:, neuron] > 0)[:100]] * w[:, j]),
                "pixels": mean_distance(images[examples] * maps[j]),
                "random_pixels": mean_distance(images[random] * maps[j]),
                "logits": view.metrics["max_activation"][j] * (effects.max() - effects.min()),
            }
        )
    found = inputs_of_latents(hidden, view, seed)
    pd.testing.assert_frame_equal(found, pd.DataFrame(rows), check_dtype=False, rtol=1e-4, atol=1e-6)
    assert found["own"].notna().sum() >= 5
    np.testing.assert_allclose(found["own"], view.metrics["mean_distance"], atol=1e-9)


def test_a_latent_that_reads_one_neuron_has_no_distances_whatever_activates_it() -> None:
    hidden = example_hidden()
    view = sae_view(hidden, example_sae())
    row = inputs_of_latents(hidden, view).iloc[1]
    assert view.metrics["n_examples"][1] > 10 and view.metrics["participation"][1] == pytest.approx(1)
    assert (row["neuron"], row["share"]) == (3, 1)
    assert row["own"] == pytest.approx(0, abs=1e-9) and row["neuron_on"] == pytest.approx(0, abs=1e-9)
    assert row["pixels"] > 0.1 and row["shuffled"] > 0.01


def test_the_pixels_of_such_a_latent_are_those_of_its_neuron() -> None:
    hidden = example_hidden()
    latent, neuron = sae_view(hidden, example_sae()), hidden_view(hidden)
    images = hidden.test_images.double().numpy()[latent.examples[1]]
    own = mean_distance(images * neuron.activation_maps[3])
    assert inputs_of_latents(hidden, latent)["pixels"][1] == pytest.approx(own, rel=1e-5)


def test_a_dead_latent_has_no_distances() -> None:
    hidden = example_hidden()
    row = inputs_of_latents(hidden, sae_view(hidden, example_sae())).iloc[0]
    assert np.isnan(row[["own", "shuffled", "pixels"]]).all() and row["logits"] == 0
    assert np.isfinite(row[["random", "random_pixels", "neuron_on"]].astype(float)).all()


def test_logit_ranges_by_hand() -> None:
    view = sae_view(example_hidden(), example_sae(3))
    view.metrics["max_activation"] = [2.0, 0.0, 1.0]
    view.logit_effects[:] = 0
    view.logit_effects[0, [2, 5]] = -1, 3
    view.logit_effects[1, 0] = 9
    view.logit_effects[2] = 4  # all logits alike: nothing changes
    assert view.logit_ranges.tolist() == [8, 0, 0]


def test_images_are_normalized_as_the_mlp_reads_them() -> None:
    hidden = example_hidden()
    np.testing.assert_allclose(hidden.mlp.hidden(hidden.test_images), hidden.test, atol=1e-6)


def test_hidden_neurons_read_no_hidden_neurons() -> None:
    hidden = example_hidden()
    with pytest.raises(NbkitError, match="The hidden layer reads pixels, no hidden neurons"):
        inputs_of_latents(hidden, hidden_view(hidden))
