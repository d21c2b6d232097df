"""The figures of an autoencoder: known answers with weights set by hand, and every column written as loops."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from nbkit.errors import NbkitError
from nbkit.method.clusters import cosine_distances
from nbkit.mnist.hidden import hidden_of
from nbkit.mnist.mlp import MnistMLP
from nbkit.sae.architecture import Architecture
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.config import SaeConfig
from nbkit.sae.evaluation import evaluate_sae, median
from nbkit.sae.report import CLUSTER_COLUMNS, SaeReport
from nbkit.sae.training import train_sae
from tests.examples.evaluated import evaluated

N_TRAIN, N, D, M = 30, 50, 6, 16


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def by_hand(
    w_enc: Tensor, w_dec: Tensor, b_enc: Tensor | None = None, b_dec: Tensor | None = None
) -> SparseAutoencoder:
    """An autoencoder with these weights; biases are 0 if not given."""
    sae = SparseAutoencoder(*w_enc.shape)
    sae.load_state_dict(
        {
            "w_enc": w_enc,
            "b_enc": torch.zeros(w_enc.shape[1]) if b_enc is None else b_enc,
            "w_dec": w_dec,
            "b_dec": torch.zeros(len(w_enc)) if b_dec is None else b_dec,
            "threshold": torch.zeros(()),
        }
    )
    return sae


def random_case(seed: int = 0, activation: str = "relu") -> dict[str, Any]:
    """An autoencoder, of whose latents one is dead and one always active, and all that it can be measured on."""
    k = None if activation == "relu" else 4
    sae = SparseAutoencoder(D, M, activation, k, seed)  # type: ignore[arg-type]
    with torch.no_grad():
        sae.b_enc[0], sae.b_enc[1] = -100.0, 100.0
        sae.threshold.fill_(0.2)
    readout = nn.Linear(D, 3)
    g = generator(seed)
    with torch.no_grad():
        for parameter in readout.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=g))
    return {
        "sae": sae,
        "train": torch.randn(N_TRAIN, D, generator=g),
        "test": torch.randn(N, D, generator=g),
        "readout": readout,
        "labels": torch.randint(3, (N,), generator=g),
        "images": torch.rand(N, 8, generator=g),
    }


@torch.no_grad()
def slow(
    sae: SparseAutoencoder,
    train: Tensor,
    test: Tensor,
    readout: Callable[[Tensor], Tensor],
    labels: Tensor,
    images: Tensor,
    max_examples: int = 100,
) -> dict[str, float]:
    """Every figure, latent by latent and pair by pair."""
    z, z_train, reconstruction = sae.encode(test), sae.encode(train), sae(test).reconstruction
    sizes, rows = [], []
    deviation = train.double().std(0, correction=0)
    likeness = 1 - cosine_distances(images.numpy())
    for j in range(sae.d_sae):
        active = [i for i in range(len(test)) if z[i, j] > 0]
        first = active[:max_examples]
        if first:
            sizes.append(len(first))
        if len(first) < 2:
            continue
        embeddings = np.stack([(test[i].double() * sae.w_enc[:, j].double()).numpy() for i in first])
        pairs = cosine_distances(embeddings)[~np.eye(len(first), dtype=bool)]
        a = z[:, j].double().numpy()
        a = (a - a.min()) / (a.max() - a.min())
        weights = np.outer(a, a)[~np.eye(len(a), dtype=bool)]
        w = (sae.w_enc[:, j].double() * deviation).square()
        rows.append(
            {
                "max_distance": pairs.max(),
                "mean_distance": pairs.mean(),
                "participation": float(w.sum() ** 2 / w.square().sum()),
                "purity": max(np.mean(labels[first].numpy() == c) for c in range(3)),
                "monosemanticity": np.average(likeness[~np.eye(len(a), dtype=bool)], weights=weights),
            }
        )
    correct = [float((readout(h).argmax(1) == labels).double().mean()) for h in (test, reconstruction)]
    error = (reconstruction - test).double().square()
    top = z_train.amax(0)
    return {
        "mse": float(error.mean()),
        "explained_variance": float(1 - error.mean(0).sum() / test.double().var(0, correction=0).sum()),
        "accuracy": 100 * correct[1],
        "accuracy_loss": 100 * (correct[0] - correct[1]),
        "l1": float(z.double().sum(1).mean() * 128),
        "l0": float(100 * (z > 0).double().mean()),
        "dead": 100 * sum(t < 0.005 for t in top.tolist()) / sae.d_sae,
        "dead_strict": 100 * sum(t == 0 for t in top.tolist()) / sae.d_sae,
        "size": float(np.median(sizes)),
        **{name: float(np.median([row[name] for row in rows])) for name in rows[0]},
    }


def test_known_answer() -> None:
    """Latent 0 reads the first number, 1 the second, 2 both, 3 is dead, 4 is too weak in training."""
    sae = by_hand(
        torch.tensor([[1.0, 0, 1, 0, 0.001], [0, 1, 1, 0, 0]]),
        torch.tensor([[1.0, 0], [0, 1], [0, 0], [9, 9], [0, 0]]),
        b_enc=torch.tensor([0, 0, 0, -1.0, 0]),
    )
    train = torch.tensor([[2.0, 1], [0, 0], [1, 2], [1, 1]])
    test = torch.tensor([[3.0, -1], [1, 1], [-2, 3], [1, 1]])
    # reconstructions: (3, 0), (1, 1), (0, 3), (1, 1): errors 1 and 4 in 8 numbers
    images = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 7]])

    def readout(h: Tensor) -> Tensor:
        return torch.stack([h[:, 0] - 2, -2 * h[:, 1], torch.full((len(h),), -0.5)], dim=1)

    # the readout says 1, 2, 2, 2 of the activations and 0, 2, 2, 2 of the reconstructions
    found = evaluated(sae, train, test, readout, torch.tensor([1, 2, 0, 2]), images)
    summary = found.summary
    assert summary["mse"] == pytest.approx(5 / 8)
    assert summary["explained_variance"] == pytest.approx(1 - 5 / (12.75 + 8.0))
    assert summary["l1"] == pytest.approx((5 + 5 + 7 + 0.005) / 4 * 128)
    assert (summary["accuracy"], summary["accuracy_loss"]) == (50, 25)
    np.testing.assert_array_equal(found.latents["n_examples"], [3, 3, 4, 0, 3])
    assert summary["l0"] == pytest.approx(100 * 13 / 20)
    assert (summary["dead"], summary["dead_strict"]) == (40, 20)
    np.testing.assert_allclose(found.latents["max_activation"], [2, 2, 3, 0, 0.002])
    assert summary["size"] == 3
    # one number alone gives parallel embeddings; with both, (3, -1), (1, 1), (-2, 3), (1, 1)
    a, b, c = 1 - 1 / 5**0.5, 1 + 9 / 130**0.5, 1 - 1 / 26**0.5
    np.testing.assert_allclose(found.latents["max_distance"], [0, 0, b, np.nan, 0], atol=1e-12)
    np.testing.assert_allclose(found.latents["mean_distance"], [0, 0, (2 * a + b + 2 * c) / 6, np.nan, 0], atol=1e-12)
    assert summary["max_distance"] == summary["mean_distance"] == 0
    np.testing.assert_allclose(found.latents["participation"], [1, 1, 2, np.nan, 1])
    np.testing.assert_allclose(found.latents["purity"], [2 / 3, 2 / 3, 0.5, np.nan, 2 / 3])
    # activations (3, 1, 0, 1), (0, 1, 3, 1), (2, 2, 1, 2) less 1, and (3, 1, 0, 1) again
    np.testing.assert_allclose(found.latents["monosemanticity"], [3 / 7, 3 / 7, 1 / 3, np.nan, 3 / 7])


@pytest.mark.parametrize("activation", ["relu", "topk", "batch_topk"])
@pytest.mark.parametrize("max_examples", [1, 3, 100])
def test_every_figure_equals_a_loop_over_latents_and_pairs(activation: str, max_examples: int) -> None:
    for seed in range(3):
        case = random_case(seed, activation)
        if max_examples == 1:
            found = evaluated(**case, max_examples=1).summary
            assert found["size"] == 1 and np.isnan(found["max_distance"])
            continue
        expected = slow(**case, max_examples=max_examples)
        assert evaluated(**case, max_examples=max_examples).summary == pytest.approx(expected, rel=1e-5, abs=1e-6)


def foreign(architecture: Architecture) -> SparseAutoencoder:
    g = generator(11)
    return SparseAutoencoder.of(
        architecture, {name: torch.randn(shape, generator=g) for name, shape in architecture.shapes.items()}
    )


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture(D, M, "jumprelu"),
        Architecture(D, M, "gated", apply_b_dec_to_input=False),
        Architecture(D, M, apply_b_dec_to_input=False, skip=True),
    ],
)
def test_every_figure_of_other_codes_autoencoders(architecture: Architecture) -> None:
    case = random_case() | {"sae": foreign(architecture)}
    assert evaluated(**case).summary == pytest.approx(slow(**case), rel=1e-5, abs=1e-6)


def test_embeddings_are_of_what_the_weights_receive() -> None:
    """With weights alike, an autoencoder that normalizes its input differs in its output alone from one that is given
    normalized inputs."""
    case = random_case()
    sae = foreign(Architecture(D, M, normalize_activations="layer_norm"))
    plain = SparseAutoencoder.of(Architecture(D, M), dict(sae.state_dict()))

    def normalized(h: Tensor) -> Tensor:
        return (h - h.mean(1, keepdim=True)) / (h.std(1, keepdim=True) + 1e-5)

    given_normalized = {name: normalized(case[name]) for name in ("train", "test")}
    found, expected = evaluated(**case | {"sae": sae}), evaluated(**case | {"sae": plain} | given_normalized)
    for name, column in expected.latents.items():
        np.testing.assert_allclose(found.latents[name], column, rtol=1e-4, atol=1e-5, err_msg=name)
    with torch.no_grad():
        error = (sae(case["test"]).reconstruction - case["test"]).double().square().mean()
    assert found.summary["mse"] == pytest.approx(float(error), rel=1e-5)
    report = evaluate_sae(sae, case["train"], case["test"])
    latent = int(report.latents["size"].argmax())
    read, w = normalized(case["test"])[report.examples(latent)], sae.w_enc[:, latent].detach()
    np.testing.assert_allclose(report.embeddings(latent), (read * w).double().numpy(), rtol=1e-4, atol=1e-5)


def test_a_transcoder_is_not_measured_on_its_input() -> None:
    transcoder = foreign(Architecture(D, M, d_out=D, apply_b_dec_to_input=False))
    with pytest.raises(NbkitError, match="This is a transcoder, which predicts other activations than it reads"):
        evaluated(**random_case() | {"sae": transcoder})


@given(st.integers(0, 10_000), st.integers(1, N + 5))
def test_the_batch_size_changes_nothing(seed: int, batch_size: int) -> None:
    case = random_case(seed % 7)
    whole, parts = evaluated(**case, batch_size=1000), evaluated(**case, batch_size=batch_size)
    same(parts, whole)


def same(a: SaeReport, b: SaeReport) -> None:
    """Up to the rounding of float32 matrix products, which depends on their shapes."""
    assert a.summary == pytest.approx(b.summary, rel=1e-5, abs=1e-6, nan_ok=True)
    for name, column in a.latents.items():
        np.testing.assert_allclose(column, b.latents[name], rtol=1e-5, atol=1e-6)
    assert torch.equal(a.all_examples.inputs, b.all_examples.inputs)
    assert torch.equal(a.all_examples.offsets, b.all_examples.offsets)


@given(st.integers(0, 10_000))
def test_the_order_of_the_latents_changes_nothing(seed: int) -> None:
    case = random_case(seed % 7)
    order = torch.randperm(M, generator=generator(seed))
    sae = case["sae"]
    shuffled = by_hand(sae.w_enc[:, order], sae.w_dec[order], sae.b_enc[order], sae.b_dec)
    a, b = evaluated(**case), evaluated(**case | {"sae": shuffled})
    assert a.summary == pytest.approx(b.summary, rel=1e-5, abs=1e-6)
    for name, column in a.latents.items():
        np.testing.assert_allclose(column[order.numpy()], b.latents[name], rtol=1e-5, atol=1e-6)


@given(st.integers(0, 6), st.floats(0.1, 10))
def test_the_scale_of_the_latents_changes_only_l1(seed: int, factor: float) -> None:
    case = random_case(seed)
    sae = case["sae"]
    scaled = by_hand(sae.w_enc * factor, sae.w_dec / factor, sae.b_enc * factor, sae.b_dec)
    a, b = evaluated(**case).summary, evaluated(**case | {"sae": scaled}).summary
    a["l1"] *= factor
    for name in ("dead", "dead_strict"):  # the threshold is absolute
        assert a.pop(name) == pytest.approx(b.pop(name), abs=20)
    assert b == pytest.approx(a, rel=1e-4, abs=1e-5)


def test_dead_latents_are_counted_on_the_training_set_and_the_rest_on_the_test_set() -> None:
    case = random_case()
    other = evaluated(**case | {"train": torch.zeros(1, D)}).summary
    own = evaluated(**case).summary
    assert {name for name in own if own[name] != other[name] and not np.isnan(own[name])} <= {
        "dead",
        "dead_strict",
        "participation",
    }
    assert other["dead"] > own["dead"]


def test_only_what_is_asked_for_is_measured() -> None:
    case = random_case()
    everything = evaluated(**case).summary
    least = evaluated(case["sae"], case["train"], case["test"]).summary
    assert set(everything) - set(least) == {"accuracy", "accuracy_loss", "purity", "monosemanticity"}
    assert least == {name: everything[name] for name in least}


def test_a_layer_of_neurons_has_no_errors() -> None:
    mlp, g = MnistMLP(), generator(0)
    images = torch.rand(30, 784, generator=g)
    measured = evaluated(mlp, images, images, labels=torch.randint(10, (30,), generator=g), images=images)
    assert not {"mse", "explained_variance", "accuracy"} & set(measured.summary)
    hidden = mlp.hidden(images).detach().double()
    assert measured.summary["l1"] == pytest.approx(float(hidden.sum() / 30 * 128), rel=1e-5)
    assert measured.summary["l0"] == pytest.approx(float((hidden > 0).double().mean()) * 100)
    neuron = int(measured.latents["size"].argmax())
    chosen = measured.all_examples.inputs[measured.all_examples.of(neuron)]
    distances = cosine_distances((images[chosen] * mlp.into.weight[neuron]).double().detach().numpy())
    assert measured.latents["max_distance"][neuron] == pytest.approx(distances.max(), abs=1e-6)


def test_an_autoencoder_whose_latents_are_all_dead() -> None:
    case = random_case()
    with torch.no_grad():
        case["sae"].b_enc.fill_(-100)
    measured = evaluated(**case)
    summary = measured.summary
    assert (summary["l0"], summary["l1"], summary["dead"], summary["dead_strict"]) == (0, 0, 100, 100)
    assert np.isnan([summary[name] for name in ("size", "max_distance", "purity", "monosemanticity")]).all()
    assert not measured.latents["size"].any()


def test_one_input_is_enough() -> None:
    case = random_case()
    one = {name: case[name][:1] for name in ("train", "test", "labels", "images")}
    summary = evaluated(case["sae"], readout=case["readout"], **one).summary
    assert np.isnan(summary["explained_variance"]) and np.isnan(summary["max_distance"])
    assert np.isfinite([summary["mse"], summary["l1"], summary["size"]]).all()


def test_other_floating_types_and_gradients_are_no_trouble() -> None:
    case = random_case()
    doubled = case | {name: case[name].double() for name in ("train", "test", "images")}
    assert evaluated(**doubled).summary == pytest.approx(evaluated(**case).summary, rel=1e-5, abs=1e-6)
    half = case | {"test": case["test"].bfloat16()}
    rounded = case | {"test": half["test"].float()}
    assert evaluated(**half).summary == pytest.approx(evaluated(**rounded).summary, rel=1e-4, abs=1e-3)
    case["test"].requires_grad_()
    assert np.isfinite(evaluated(**case).summary["mse"])


class _Largest(TorchDispatchMode):
    """How many numbers the largest tensor has that was made."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else [made]:
            if isinstance(tensor, Tensor) and tensor.untyped_storage().nbytes() >= tensor.numel():
                self.numbers = max(self.numbers, tensor.numel())
        return made


def test_no_tensor_grows_with_inputs_times_latents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbkit.sae.latents.GROUP", 2000)
    n, d, m = 2000, 8, 300
    h = torch.randn(n, d, generator=generator(1))
    with _Largest() as largest:
        evaluated(SparseAutoencoder(d, m), h, h, images=h.abs(), max_examples=20, batch_size=50)
    assert largest.numbers <= max(n * d, 50 * m, m * 20)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"train": torch.ones(4, 5)}, r"training activations have shape \(4, 5\): this encoder reads \(n, 6\)"),
    ({"test": torch.ones(6)}, r"test activations have shape \(6,\)"),
    ({"train": torch.ones(0, 6)}, "no training activations: give at least one"),
    ({"test": torch.ones(0, 6)}, "no test activations: give at least one"),
    ({"train": torch.full((4, 6), torch.nan)}, "training activations hold NaN or infinite values: check the layer"),
    ({"test": torch.full((N, 6), torch.inf)}, "test activations hold NaN or infinite values: check the layer"),
    ({"labels": torch.ones(9, dtype=torch.long)}, r"shape \(9,\): give one whole number for each of the 50 test"),
    ({"labels": torch.ones(N)}, "torch.float32 of shape .* give one whole number"),
    ({"labels": None}, "An accuracy needs labels"),
    ({"images": torch.ones(9, 4)}, r"images have shape \(9, 4\): give a row for each of the 50"),
    ({"images": torch.ones(N)}, "images have shape"),
    ({"images": torch.full((N, 4), torch.nan)}, "images hold NaN"),
    ({"images": torch.eye(N).roll(1, 0)[:, 1:]}, "Image 1 is all zeros and has no direction to compare: leave it out"),
    ({"max_examples": 0}, "max_examples is 0: it must be at least 1"),
    ({"batch_size": 0}, "batch_size is 0: it must be at least 1"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_input_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(NbkitError, match=message):
        evaluated(**random_case() | change)


@pytest.mark.parametrize("name", ["w_enc", "b_enc", "w_dec", "b_dec"])
def test_an_autoencoder_that_diverged_is_named(name: str) -> None:
    case = random_case()
    with torch.no_grad():
        getattr(case["sae"], name).flatten()[0] = torch.nan
    with pytest.raises(NbkitError, match=f"The autoencoder's {name} holds NaN or infinite values"):
        evaluated(**case)


def test_median_leaves_out_what_is_undefined() -> None:
    assert median(np.array([np.nan, 3.0, 1.0])) == 2.0
    assert np.isnan(median(np.array([np.nan]))) and np.isnan(median(np.array([])))


def test_the_paper_s_standard_autoencoder() -> None:
    """One seed near the standard row of Tables 2 and 3: the book has ten."""
    hidden = hidden_of(0)
    sae = train_sae(hidden.train, SaeConfig(), progress=False)
    found = evaluated(sae, hidden.train, hidden.test, hidden.readout, hidden.test_labels, hidden.test_pixels).summary
    assert found["mse"] == pytest.approx(0.33, abs=0.05)
    assert found["l1"] == pytest.approx(2500, abs=400)
    assert found["l0"] == pytest.approx(2.3, abs=0.5)
    assert found["accuracy_loss"] == pytest.approx(2, abs=1)
    assert found["dead"] == pytest.approx(26, abs=6)
    assert found["max_distance"] == pytest.approx(0.4, abs=0.1)
    assert found["mean_distance"] == pytest.approx(0.2, abs=0.05)


def test_the_same_autoencoder_at_another_scale_is_not_all_dead() -> None:
    """Its latents a thousandth as strong: by the author's threshold all would be dead."""
    case = random_case(3)
    sae = case["sae"]
    with torch.no_grad():
        sae.w_enc[:, 2], sae.b_enc[2] = 0, 1e-6  # as good as dead beside the others
    small = by_hand(sae.w_enc * 1e-5, sae.w_dec * 1e5, sae.b_enc * 1e-5, sae.b_dec)
    data = case["train"], case["test"]
    plain, scaled = evaluate_sae(sae, *data), evaluate_sae(small, *data)
    assert evaluated(sae, *data).summary["dead"] == plain.summary["dead"] == scaled.summary["dead"] == 100 * 2 / M
    assert plain.latents["dead"].tolist() == scaled.latents["dead"].tolist() == [j in (0, 2) for j in range(M)]
    assert evaluate_sae(small, *data, dead_below=0.005).summary["dead"] == 100
    assert evaluate_sae(small, *data, dead_below=0).summary["dead"] == 100 / M == scaled.summary["dead_strict"]
    with pytest.raises(NbkitError, match="dead_below is nan: give an activation"):
        evaluate_sae(small, *data, dead_below=np.nan)


def test_a_latent_without_weights_costs_a_row() -> None:
    """Its bias lets it fire on every input, always as much; another is dead, and one has a single example."""
    case = random_case(4)
    sae = case["sae"]
    others = evaluate_sae(sae, case["train"], case["test"]).latents
    with torch.no_grad():
        sae.w_enc[:, [5, 6]], sae.b_enc[5], sae.b_enc[6] = 0, 0.7, 0
        sae.w_dec[5] = 0
    report = evaluate_sae(sae, case["train"], case["test"], labels=case["labels"])
    table, clustered = report.latents, ["max_distance", "mean_distance", *CLUSTER_COLUMNS]
    assert table.loc[5, "n_examples"] == N and table.loc[5, clustered].isna().all()
    assert table.loc[6, "n_examples"] == 0 and table.loc[6, clustered].isna().all() and table.loc[6, "dead"]
    rest = table.index.difference([5, 6])
    pd.testing.assert_frame_equal(table.loc[rest, clustered], others.loc[rest, clustered])
    assert report.summary["mean_distance"] == np.nanmedian(table["mean_distance"])
    assert "1 of 16 latents have no direction: NaN" in repr(report) and len(repr(report)) < 200
    assert not report.has_direction(5) and report.has_direction(1)
    with pytest.raises(NbkitError, match=r"Latent 5 has no clusters: .* no direction"):
        report.clusters(5)
    assert np.isfinite([report.summary[name] for name in ("mse", "l1", "max_distance", "purity", "silhouette")]).all()


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e2])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_within_bounds_of_float32(dtype: torch.dtype, scale: float) -> None:
    case = random_case(2)
    with torch.no_grad():
        case["sae"].b_enc[1] = 1.0
    sae = by_hand(*(getattr(case["sae"], name).detach().to(dtype).float() for name in ("w_enc", "w_dec", "b_enc")))
    train, test = ((case[name] * scale).to(dtype) for name in ("train", "test"))
    wide = evaluate_sae(sae, train.float(), test.float(), threshold=0.5)
    half = evaluate_sae(copy.deepcopy(sae).to(dtype), train, test, threshold=0.5)
    bound = 4 * torch.finfo(dtype).eps
    for name in ("mse", "l1", "participation"):
        assert half.summary[name] == pytest.approx(wide.summary[name], rel=bound), name
    for name in ("l0", "dead", "mean_distance", "max_distance"):
        assert half.summary[name] == pytest.approx(wide.summary[name], abs=50 * bound if name == "l0" else 0.05), name


def test_errors_are_summed_in_float32() -> None:
    """The square of an error of 1e-4 is none in float16."""
    sae = by_hand(torch.zeros(4, 2), torch.zeros(2, 4), torch.zeros(2), torch.full((4,), 1e-4)).half()
    summary = evaluated(sae, torch.zeros(8, 4), torch.zeros(8, 4)).summary
    assert summary["mse"] == pytest.approx(float(torch.tensor(1e-4).half()) ** 2, rel=1e-3)


def test_an_overflow_in_half_precision_is_named() -> None:
    sae = by_hand(torch.full((4, 2), 4e4), torch.zeros(2, 4)).half()
    with pytest.raises(NbkitError, match=r"not finite: they may overflow in float16.*float32"):
        evaluated(sae, torch.ones(8, 4), torch.ones(8, 4))


def test_numpy_is_taken_for_everything() -> None:
    case = random_case()
    as_numpy = {name: case[name].numpy() for name in ("train", "test", "labels", "images")}
    assert evaluated(**case | as_numpy).summary == evaluated(**case).summary
    assert evaluate_sae(**case | as_numpy).summary == evaluate_sae(**case).summary
    listed = {"labels": case["labels"].double().tolist(), "images": pd.DataFrame(as_numpy["images"])}
    assert evaluated(**case | listed).summary == evaluated(**case).summary


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": np.ones((N, D)) * 1j}, "test activations hold complex numbers"),
        ({"train": "data.npy"}, "training activations hold text"),
        ({"labels": np.full(N, np.nan)}, "labels are no names of clusters"),
        ({"labels": ["a"] * N}, "labels are words: give one whole number"),
        ({"images": [[1], [1, 2]]}, "images are no array"),
        ({"max_examples": 1.5}, "max_examples is 1.5: give a whole number"),
        ({"batch_size": "8"}, "batch_size is '8': give a whole number"),
        ({"threshold": "0.5"}, "threshold of '0.5' is no distance"),
        ({"sae": "relu"}, "nothing to evaluate in a str"),
    ],
)
def test_what_is_no_number_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(NbkitError, match=message):
        evaluate_sae(**random_case() | change)
