"""What the latent explorer sends to the browser, what it refuses, and how it is made of the MNIST models."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import nbkit.mnist.reports
from nbkit.errors import NbkitError
from nbkit.explorers import LatentExplorer
from nbkit.explorers.explore import explore_views
from nbkit.explorers.latent.latent import PICKS, explorer_arrays
from nbkit.explorers.shared.packing import TYPES, pack
from nbkit.mnist.hidden import Hidden
from nbkit.mnist.images import MEAN, STD, Mnist
from nbkit.mnist.mlp import MnistMLP
from nbkit.mnist.reports import HIDDEN_NAME, latent_view, report_on
from nbkit.mnist.view import LatentView, MlpWeights, activation_curve
from nbkit.sae.architecture import Architecture
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.evaluation import HIDDEN_CUT, SAE_CUT, evaluate_sae
from tests.examples.latents import DIGITS, HIDDEN, HOSTILE_NAME, LATENTS, ExampleModels, example_models
from tests.examples.packed import unpacked


@pytest.fixture(scope="module")
def models() -> ExampleModels:
    return example_models()


@given(st.lists(st.sampled_from(TYPES).flatmap(lambda kind: arrays(kind, array_shapes(min_dims=0, min_side=0)))))
def test_packed_arrays_come_back_bit_by_bit(parts: list[np.ndarray]) -> None:
    layout, packed = pack({str(i): part for i, part in enumerate(parts)})
    found = unpacked(layout, packed)
    assert list(found) == [str(i) for i in range(len(parts))]
    assert all(start % 4 == 0 for _, start, _ in layout.values())
    for part, back in zip(parts, found.values(), strict=True):
        assert part.dtype == back.dtype and part.shape == back.shape and part.tobytes() == back.tobytes()


def test_packing_takes_arrays_as_they_lie_and_refuses_other_types() -> None:
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    layout, packed = pack({"turned": matrix.T, "big-endian": matrix.astype(">f4")})
    found = unpacked(layout, packed)
    assert np.array_equal(found["turned"], matrix.T) and np.array_equal(found["big-endian"], matrix)
    with pytest.raises(NbkitError, match="'wide' has type float64: convert it to one of uint8"):
        pack({"wide": np.zeros(2)})


def test_a_curve_by_hand() -> None:
    # sorted 6, 3, 1 of a total of 10; a unit that nothing activates; one input
    activations = np.array([[1, 0, 0], [6, 0, 2], [0, 0, 0], [3, 0, 0]], dtype=np.float32)
    curves = activation_curve(activations, points=7)
    assert np.allclose(curves[0], [0, 0.3, 0.6, 0.75, 0.9, 0.95, 1])
    assert np.isnan(curves[1]).all()
    assert np.allclose(curves[2], np.linspace(0, 1, 7))


@given(arrays(np.float64, st.tuples(st.integers(1, 30), st.just(1)), elements=st.floats(0, 10, width=32)))
def test_a_curve_rises_ever_slower_from_0_to_1_whatever_the_order_and_the_scale(activations: np.ndarray) -> None:
    [curve] = activation_curve(activations)
    if not activations.any():
        assert np.isnan(curve).all()
        return
    assert curve[0] == 0 and curve[-1] == pytest.approx(1)
    assert (np.diff(curve) >= -1e-12).all() and (np.diff(curve, 2) <= 1e-9).all()
    assert np.allclose(curve, activation_curve(8 * activations[::-1])[0])


def test_the_arrays_hold_the_models(models: ExampleModels) -> None:
    about, sent = explorer_arrays(models.views, models.mlp, models.images, models.labels)
    assert [view["name"] for view in about["views"]] == ["Hidden layer", HOSTILE_NAME]
    assert [(view["unit"], view["n"]) for view in about["views"]] == [("neuron", HIDDEN), ("latent", LATENTS)]
    metrics = [{"label": "activating images", "flag": False}, {"label": "dead", "flag": True}]
    assert about["views"][0]["metrics"] == [*metrics, {"label": "mean distance", "flag": False}]

    numbers = sent["numbers"]
    assert np.array_equal(sent["images"], np.rint(models.images[numbers] * 255))  # of 8 bits: nothing is lost
    assert np.array_equal(sent["labels"], models.labels[numbers])
    picked = [np.flatnonzero(models.labels == digit)[:PICKS] for digit in DIGITS]
    assert np.array_equal(numbers[sent["picks"]], np.concatenate(picked))
    for i, view in enumerate(models.views):
        part = {name.removeprefix(f"{i}."): array for name, array in sent.items() if name.startswith(f"{i}.")}
        assert np.array_equal(part["metrics"], view.metrics.to_numpy(np.float32).T, equal_nan=True)
        assert np.allclose(part["logits"], view.logit_effects)
        assert "maps" not in part  # they follow from the weights
        assert np.allclose(part["curves"] / 255, np.nan_to_num(view.curves), atol=0.5 / 255 + 1e-9)
        for j, (start, end) in enumerate(zip(part["starts"], part["starts"][1:], strict=False)):
            assert np.array_equal(numbers[part["examples"][start:end]], view.examples[j])
            assert np.array_equal(part["clusters"][start:end], view.clusters[j])
        assert ("w_enc" in part) == (view.encoder is not None)


def test_only_images_that_are_shown_are_sent(models: ExampleModels) -> None:
    labels = np.sort(models.labels)  # so that the first images of a digit stand anywhere
    few = [
        replace(
            view,
            examples=[rows[rows > 60] for rows in view.examples],
            clusters=[labels[rows > 60] for rows, labels in zip(view.examples, view.clusters, strict=True)],
        )
        for view in models.views
    ]
    _, sent = explorer_arrays(few, models.mlp, models.images, labels)
    picked = [row for digit in DIGITS for row in np.flatnonzero(labels == digit)[:PICKS]]
    assert sent["numbers"].tolist() == sorted({*picked, *np.concatenate([row for v in few for row in v.examples])})
    assert sent["numbers"][sent["picks"]].tolist() == picked
    assert np.array_equal(sent["images"], np.rint(models.images[sent["numbers"]] * 255))


def test_the_weights_read_pixels_as_they_are(models: ExampleModels) -> None:
    w, b = models.mlp.on_pixels()
    assert np.allclose(np.maximum(models.images @ w + b, 0), models.hidden)


def test_names_are_harmless_to_whatever_carries_the_data(models: ExampleModels) -> None:
    explorer = models.explorer()
    assert explorer.about.isascii() and "<" not in explorer.about
    assert json.loads(explorer.about)["views"][1]["name"] == HOSTILE_NAME


def test_view_and_unit_are_traits_that_follow_and_refuse(models: ExampleModels) -> None:
    explorer = models.explorer(view=1, unit=20)
    assert (explorer.view, explorer.unit) == (1, 20)
    with pytest.raises(NbkitError, match="There is no 24 among the 24 units in this view: choose 0 to 23"):
        explorer.unit = LATENTS
    with pytest.raises(NbkitError, match="There is no -1 among the 2 views"):
        explorer.view = -1
    assert (explorer.view, explorer.unit) == (1, 20)
    explorer.view = 0  # has no unit 20
    assert explorer.unit == 0
    explorer.set_state({"view": 1, "unit": 23})  # as the browser sends them, in one message
    assert (explorer.view, explorer.unit) == (1, 23)
    with pytest.raises(NbkitError, match="no 8 among the 8"):
        models.explorer(view=0, unit=HIDDEN)
    with pytest.raises(NbkitError, match="no 2 among the 2"):
        models.explorer(view=2)


def changed(models: ExampleModels, view: dict[str, Any]) -> LatentView:
    return replace(models.views[1], **view)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"metrics": example_models().views[1].metrics[:0]}, "no units"),
        ({"activation_maps": np.zeros((LATENTS, 783))}, r"activation maps of the view .* must have shape \(24, 784\)"),
        ({"activation_maps": np.full((LATENTS, 784), np.nan)}, "activation maps .* must be finite"),
        ({"logit_effects": np.zeros((LATENTS, 9))}, r"logit effects .* \(24, 10\), not \(24, 9\)"),
        ({"curves": np.zeros((LATENTS, 1))}, r"curves .* shape \(24, 1\)"),
        ({"curves": np.zeros((LATENTS - 1, 5))}, r"curves .* shape \(23, 5\)"),
        ({"examples": [np.arange(3)] * LATENTS}, "as many clusters as examples"),
        ({"examples": example_models().views[1].examples[:-1]}, "for each of its 24 units"),
        ({"encoder": (np.zeros((HIDDEN, LATENTS)), np.zeros(3))}, r"encoder's bias .* \(24,\), not \(3,\)"),
        ({"encoder": (np.zeros((HIDDEN, 3)), np.zeros(LATENTS))}, r"encoder's weights .* \(8, 24\)"),
    ],
)
def test_a_view_that_does_not_fit_together_is_refused(
    models: ExampleModels, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(NbkitError, match=message):
        changed(models, wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda m: {"views": []}, "nothing to explore"),
        (lambda m: {"images": m.images[:, :700]}, r"images must have shape \(90, 784\)"),
        (lambda m: {"images": (m.images - MEAN) / STD}, "undo the normalization"),
        (lambda m: {"labels": m.labels[:-1]}, r"labels must have shape \(90,\)"),
        (lambda m: {"labels": m.labels + 3}, "digits from 0 to 9"),
        (lambda m: {"images": m.images[:50], "labels": m.labels[:50]}, r"there are 50: give the images they are of"),
        (lambda m: {"views": [replace(m.views[1], encoder=None)]}, "does not read the 8 hidden neurons"),
        (lambda m: {"views": [replace(m.views[0], metrics=m.views[0].metrics[[]])]}, "no column of numbers"),
    ],
)
def test_what_can_not_be_explored_is_refused(
    models: ExampleModels, wrong: Callable[[ExampleModels], dict[str, Any]], message: str
) -> None:
    good = {"views": models.views, "mlp": models.mlp, "images": models.images, "labels": models.labels}
    LatentExplorer(**good)
    with pytest.raises(NbkitError, match=message):
        LatentExplorer(**{**good, **wrong(models)})


def test_an_mlp_that_does_not_fit_together_is_refused() -> None:
    with pytest.raises(NbkitError, match=r"the MLP's w_out must have shape \(3, 10\), not \(4, 10\)"):
        MlpWeights(np.zeros((784, 3)), np.zeros(3), np.zeros((4, 10)), np.zeros(10))


# the views of MNIST models, with few images that are made up


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch) -> Hidden:
    generator = torch.Generator().manual_seed(0)
    train, test = (torch.rand(n, 784, generator=generator).mul(255).round() / 255 for n in (150, 40))
    mlp = MnistMLP(0).requires_grad_(False)
    labels = torch.randint(10, (40,), generator=generator)
    mnist = Mnist((train - MEAN) / STD, torch.zeros(150, dtype=torch.long), (test - MEAN) / STD, labels)
    monkeypatch.setattr(nbkit.mnist.reports, "load_mnist", lambda: mnist)
    return Hidden(mlp, mlp.hidden(mnist.train_images), mlp.hidden(mnist.test_images), labels, test)


def test_all_neurons_and_latents_of_mnist_models_can_be_explored(hidden: Hidden) -> None:
    saes = {"One": SparseAutoencoder(64, 20, seed=1), "Two": SparseAutoencoder(64, 30, seed=2)}
    views = [latent_view(HIDDEN_NAME, hidden, report_on(hidden))]
    views += [latent_view(name, hidden, report_on(hidden, sae), sae) for name, sae in saes.items()]
    explorer = explore_views(hidden, views, view=2, unit=29)
    about = json.loads(explorer.about)
    assert [(view["name"], view["unit"], view["n"]) for view in about["views"]] == [
        (HIDDEN_NAME, "neuron", 64),
        ("One", "latent", 20),
        ("Two", "latent", 30),
    ]
    assert (explorer.view, explorer.unit) == (2, 29)
    labels = [metric["label"] for metric in about["views"][1]["metrics"]]
    assert len(set(labels)) == len(labels) >= 12
    sent = unpacked(about["layout"], explorer.packed)
    latents = saes["Two"].encode(hidden.test).detach().numpy()
    pixels = sent["images"] / 255
    reached = np.maximum(np.maximum(pixels @ sent["w_in"] + sent["b_in"], 0) @ sent["2.w_enc"] + sent["2.b_enc"], 0)
    assert np.allclose(reached, latents[sent["numbers"]], atol=1e-4)


def test_a_view_of_latents_and_one_of_neurons_hold_their_reports(hidden: Hidden) -> None:
    sae = SparseAutoencoder(64, 20, seed=1)
    for model, cut in ((sae, SAE_CUT), (None, HIDDEN_CUT)):
        report = report_on(hidden, model)
        view = latent_view("Some", hidden, report, model)
        activations = hidden.test if model is None else model.encode(hidden.test).detach()
        assert report.threshold == cut
        assert (view.metrics["n_examples"] == (activations > 0).sum(0).numpy()).all()
        for j, rows in enumerate(view.examples):
            assert np.array_equal(rows, np.flatnonzero(activations[:, j] > 0))
            assert len(rows) == 0 or np.array_equal(view.clusters[j], report.clusters(j, cut).labels)
        assert np.allclose(view.curves, activation_curve(activations.numpy()), equal_nan=True)


def test_a_latent_that_nothing_activates_can_be_explored(hidden: Hidden) -> None:
    sae = SparseAutoencoder(64, 5)
    with torch.no_grad():
        sae.b_enc[3] = -1e3
    view = latent_view("Some", hidden, report_on(hidden, sae), sae)
    assert len(view.examples[3]) == len(view.clusters[3]) == 0 and np.isnan(view.curves[3]).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_bias_that_the_browser_adds_is_the_architectures(hidden: Hidden, dtype: torch.dtype) -> None:
    weights = dict(SparseAutoencoder(64, 20, seed=1).to(dtype).state_dict())
    sae = SparseAutoencoder.of(Architecture(64, 20, apply_b_dec_to_input=False), weights)
    view = latent_view("Some", hidden, report_on(hidden, sae), sae)
    assert view.encoder is not None
    w, b = view.encoder
    reached = np.maximum(hidden.test.numpy() @ w + b, 0)
    latents = sae.encode(hidden.test).detach().float().numpy()
    np.testing.assert_allclose(reached, latents, rtol=1e-2 if dtype == torch.bfloat16 else 1e-5, atol=1e-5)
    assert np.array_equal(b, sae.b_enc.detach().float().numpy())


def test_autoencoders_that_the_browser_can_not_compute_are_refused(hidden: Hidden) -> None:
    for activation in ("topk", "batch_topk"):
        sae = SparseAutoencoder(64, 20, activation, k=2)  # type: ignore[arg-type]
        report = report_on(hidden, sae)
        with pytest.raises(NbkitError, match=f"'Some' is a {activation} autoencoder"):
            latent_view("Some", hidden, report, sae)
    weights = dict(SparseAutoencoder(64, 20).state_dict())
    normalizing = SparseAutoencoder.of(Architecture(64, 20, normalize_activations="layer_norm"), weights)
    with pytest.raises(NbkitError, match="normalizes its input or is a transcoder: there are maps only where"):
        latent_view("Some", hidden, report_on(hidden, normalizing), normalizing)
    with pytest.raises(NbkitError, match="64"):
        report_on(hidden, SparseAutoencoder(32, 20))


def test_a_report_is_explored_with_the_hidden_layer_that_it_is_about(hidden: Hidden) -> None:
    sae = SparseAutoencoder(64, 20, seed=1)
    for model, unit, n in ((sae, "latent", 20), (None, "neuron", 64)):
        explorer = nbkit.explore(report_on(hidden, model), hidden, neuron=3)
        assert isinstance(explorer, LatentExplorer) and explorer.unit == 3
        [view] = json.loads(explorer.about)["views"]
        assert (view["unit"], view["n"]) == (unit, n)


def test_a_report_is_not_explored_without_what_it_lacks(hidden: Hidden) -> None:
    report = report_on(hidden, SparseAutoencoder(64, 20))
    with pytest.raises(NbkitError, match=r"nbkit\.mnist\.hidden\.hidden_of"):
        nbkit.explore(report)
    with pytest.raises(NbkitError, match="give `neuron` alone"):
        nbkit.explore(report, hidden, layer=0)
    elsewhere = evaluate_sae(SparseAutoencoder(8, 20), torch.rand(30, 8), torch.rand(40, 8))
    with pytest.raises(NbkitError, match="not about the 64 hidden neurons"):
        nbkit.explore(elsewhere, hidden)
