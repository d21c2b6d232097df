"""The sweep: its grid, its figures against plain loops, and what an interruption leaves."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import cosine

import nbkit.studies.shared.kept_tables
import nbkit.studies.trade_off.experiment
from nbkit.errors import NbkitError
from nbkit.mnist.hidden import Hidden
from nbkit.mnist.mlp import MnistMLP
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.config import SaeConfig
from nbkit.sae.latents import control_distances
from nbkit.sae.sweep_columns import SWEEP_MEASURES
from nbkit.sae.training import train_saes
from nbkit.studies.trade_off.experiment import (
    OF_LATENTS,
    OTHER_GRADIENTS,
    Grid,
    figures_of,
    other_gradients,
    same_class,
    sweep,
)
from tests.examples.evaluated import evaluated

SMALL = Grid(l1=[1e-4, 4e-4], k=[2, 4], ne=[1e-2], ne_l1=[2e-4], ne_k=[2], activations=["relu", "topk"])


def small_hidden(seed: int = 0) -> Hidden:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.rand(120, 784, generator=generator)
    mlp = MnistMLP(seed)
    with torch.no_grad():
        test, train = mlp.hidden(pixels), mlp.hidden(torch.rand(260, 784, generator=generator))
    return Hidden(mlp, train, test, torch.randint(10, (120,), generator=generator), pixels)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[SaeConfig]]:
    """The configs of each call that trains, of a sweep over small activations with a cache of its own."""
    calls: list[list[SaeConfig]] = []

    def train(data: Any, configs: list[SaeConfig], progress: bool) -> list[SparseAutoencoder]:
        calls.append(configs)
        return train_saes(data, [replace(config, d_sae=24) for config in configs], progress=progress)

    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(nbkit.studies.shared.kept_tables, "mlp_for", lambda _: None)
    monkeypatch.setattr(nbkit.studies.trade_off.experiment, "hidden_of", small_hidden)
    monkeypatch.setattr(nbkit.studies.trade_off.experiment, "train_saes", train)
    return calls


def test_the_grid_makes_the_autoencoders_without_the_loss_first() -> None:
    relu = SMALL.configs("relu", 3)
    assert [(c.l1, c.ne, c.k, c.seed) for c in relu] == [(1e-4, 0, None, 3), (4e-4, 0, None, 3), (2e-4, 1e-2, None, 3)]
    topk = SMALL.configs("topk", 0)
    assert [(c.k, c.ne) for c in topk] == [(2, 0), (4, 0), (2, 1e-2)]
    assert {(c.activation, c.l1, c.weight_decay) for c in topk} == {("topk", 0, 0)}


def test_the_default_grid_stands_on_the_paper() -> None:
    standard = SaeConfig()
    assert standard in Grid().configs("relu", 0)
    assert all(set(values) <= set(all_) for values, all_ in ((Grid().ne_l1, Grid().l1), (Grid().ne_k, Grid().k)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"l1": []}, "l1 is"),
        ({"k": [4, 4]}, "each once"),
        ({"ne": [0.0]}, "above 0"),
        ({"activations": ["gelu"]}, "gelu"),
        ({"gradient": "half"}, "There is no gradient 'half': choose one of whole, average, opposite"),
        ({"ne_l1": [-1.0]}, "l1 is -1"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(NbkitError, match=message):
        Grid(**wrong).configs("relu", 0)


def test_a_sweep_needs_a_seed() -> None:
    with pytest.raises(NbkitError, match="n_seeds is 0"):
        sweep(SMALL, n_seeds=0)


def test_the_table_has_a_row_per_autoencoder_and_its_figures(trained: list[list[SaeConfig]]) -> None:
    table = sweep(SMALL, n_seeds=2, seed=5, n_jobs=1)
    assert len(table) == 2 * 2 * 3
    assert not table.duplicated(["activation", "sparsity", "ne", "seed"]).any()
    assert set(SWEEP_MEASURES) <= set(table.columns)
    row = table.iloc[-1]
    assert (row["activation"], row["sparsity"], row["ne"], row["seed"]) == ("topk", 2, 1e-2, 6)
    sae = train_saes(small_hidden(6).train, [replace(trained[-1][-1], d_sae=24)], progress=False)[0]
    alone = figures_of(sae, small_hidden(6), 6)
    assert [row[name] for name in SWEEP_MEASURES] == pytest.approx(
        [alone[name] for name in SWEEP_MEASURES], nan_ok=True
    )


def test_what_is_finished_is_kept(trained: list[list[SaeConfig]], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: Any) -> dict[str, float]:
        if len(trained) == 3:
            raise KeyboardInterrupt
        return figures_of(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(nbkit.studies.trade_off.experiment, "figures_of", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sweep(SMALL, n_seeds=2, n_jobs=1)
    assert len(trained) == 3
    table = sweep(SMALL, n_seeds=2, n_jobs=1)
    left = [(calls[0].activation, calls[0].seed, calls[0].ne > 0) for calls in trained[3:]]
    assert left == [(kind, seed, ne) for kind, seed in (("topk", 0), ("relu", 1), ("topk", 1)) for ne in (False, True)]
    again = sweep(SMALL, n_seeds=2, n_jobs=1)
    assert len(trained) == 9
    pd.testing.assert_frame_equal(table, again)
    sweep(replace(SMALL, activations=["topk"], ne=[2e-2]), n_seeds=1, n_jobs=1)  # the standard ones are there
    assert len(trained) == 10 and {config.ne for config in trained[-1]} == {2e-2}


def test_other_gradients_share_the_standard_autoencoders(trained: list[list[SaeConfig]]) -> None:
    table = sweep(SMALL, n_seeds=1, n_jobs=1)
    n = len(trained)
    found = other_gradients(SMALL, n_seeds=1, n_jobs=1)
    assert [{(c.ne_gradient, c.ne) for c in calls} for calls in trained[n:]] == [
        {("average", 2e-2)},
        {("average", 2e-2)},
        {("opposite", 3e-3)},
        {("opposite", 3e-3)},
    ]
    for name, mine in found.items():
        pd.testing.assert_frame_equal(mine[mine["ne"] == 0], table[table["ne"] == 0])
        assert set(mine["ne"]) == {0, OTHER_GRADIENTS[name]}


def small_sae(m: int = 12) -> SparseAutoencoder:
    sae = SparseAutoencoder(64, m, seed=1)
    with torch.no_grad():
        sae.b_enc.copy_(torch.linspace(-1.5, 0.1, m))  # from dead to busy
    return sae


def test_same_digit_counts_pairs() -> None:
    hidden = small_hidden()
    found = evaluated(small_sae(), hidden.train, hidden.test, labels=hidden.test_labels)
    pairs = same_class(found.all_examples, hidden.test_labels)
    labels, sizes = hidden.test_labels.numpy(), found.all_examples.sizes
    assert sizes.min() < 2 and sizes.max() > 5
    for latent in range(12):
        start, end = found.all_examples.offsets[latent : latent + 2]
        mine = labels[found.all_examples.inputs[start:end]]
        same = [a == b for a, b in combinations(mine.tolist(), 2)]
        assert pairs[latent] == pytest.approx(np.mean(same) if same else np.nan, nan_ok=True)


def test_the_control_is_the_distance_of_random_inputs() -> None:
    hidden, sae = small_hidden(), small_sae()
    with torch.no_grad():
        sae.w_enc[:, 0] = 0.0
        sae.w_enc[3, 0] = 1.0  # reads one input: whatever the inputs are, their embeddings are parallel
        sae.w_enc[:, 1] = 0.0
    found = control_distances(sae.w_enc, hidden.test, seed=4)
    assert found[0] == pytest.approx(0, abs=1e-12) and np.isnan(found[1])
    chosen = torch.randperm(120, generator=torch.Generator().manual_seed(4))[:100]
    embedded = (hidden.test[chosen].double() * sae.w_enc[:, 5].double()).detach().numpy()
    expected = np.mean([cosine(a, b) for a, b in combinations(embedded, 2)])
    assert found[5] == pytest.approx(expected)


def test_medians_are_over_latents_with_two_examples_and_means_by_activity() -> None:
    hidden, sae = small_hidden(), small_sae()
    figures = figures_of(sae, hidden)
    found = evaluated(sae, hidden.train, hidden.test, hidden.readout, hidden.test_labels, hidden.test_pixels)
    alive = found.latents["size"] >= 2
    values, weights = found.latents["mean_distance"][alive], found.latents["n_examples"][alive]
    assert figures["mean_distance"] == pytest.approx(np.median(values))
    assert figures["mean_distance_weighted"] == pytest.approx((values * weights).sum() / weights.sum())
    control = control_distances(sae.w_enc, hidden.test)[alive]
    assert figures["relative_distance"] == pytest.approx(values.mean() / control.mean())
    plain = evaluated(sae, hidden.train, hidden.test, hidden.readout, hidden.test_labels, hidden.test_pixels).summary
    assert {name: figures[name] for name in plain} == pytest.approx(plain)
    assert set(OF_LATENTS) <= set(figures)


def test_a_dead_autoencoder_has_undefined_figures() -> None:
    sae = small_sae()
    with torch.no_grad():
        sae.b_enc.fill_(-100.0)
    figures = figures_of(sae, small_hidden())
    assert figures["dead"] == 100 and np.isnan(figures["purity"]) and np.isnan(figures["relative_distance"])
