"""Training against a plain implementation, in stacks against alone, and after interruptions."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import nbkit.sae.pairs
import nbkit.sae.training
from nbkit.atlas.config import AtlasConfig
from nbkit.errors import NbkitError
from nbkit.sae.autoencoder import SparseAutoencoder, activate
from nbkit.sae.config import SaeConfig
from nbkit.sae.loss import NeuronEmbeddingLoss
from nbkit.sae.training import CHECKPOINT, train_sae, train_saes

STEPS = 13  # of an epoch: the last batch is not full
SMALL = SaeConfig(d_sae=24, l1=1e-2, batch_size=16, ne_start=4, checkpoint_every=5)
SPARSE = replace(SMALL, activation="topk", d_sae=64, k=3, ne=0.02)
KINDS = [
    SMALL,
    SPARSE,
    replace(SMALL, ne=0.02, epochs=2),
    replace(SMALL, activation="topk", k=3, ne=0.02),
    replace(SMALL, activation="batch_topk", k=3, ne=0.02),
]


def activations(n: int = 200, d: int = 10) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(5)).relu()


def same(a: SparseAutoencoder, b: SparseAutoencoder) -> bool:
    return all(torch.equal(tensor, b.state_dict()[name]) for name, tensor in a.state_dict().items())


def plainly_trained(h_all: Tensor, config: SaeConfig) -> SparseAutoencoder:
    """Equation 5 with PyTorch's own parts, one autoencoder, no shortcuts."""
    sae = SparseAutoencoder(h_all.shape[1], config.d_sae, config.activation, config.k, config.seed).to(h_all)
    if config.activation != "relu":
        sae.b_dec.data = h_all.mean(0)
    optimizer = torch.optim.Adam(sae.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    embedding_loss = NeuronEmbeddingLoss(h_all.shape[1], config.d_sae, config.momentum).to(h_all)
    step = 0
    for epoch in range(config.epochs):
        generator = torch.Generator().manual_seed(1_000_003 * config.seed + epoch)
        for places in torch.randperm(len(h_all), generator=generator).split(config.batch_size):
            h = h_all[places]
            z = activate((h - sae.b_dec) @ sae.w_enc + sae.b_enc, config.activation, config.k)
            loss = torch.nn.functional.mse_loss(z @ sae.w_dec + sae.b_dec, h) + config.l1 * z.abs().sum()
            if step >= config.ne_start:
                loss = loss + config.ne * embedding_loss(h, z, sae.w_enc)
            embedding_loss.update(h, z)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    return sae


@pytest.mark.parametrize("config", KINDS)
def test_training_is_the_plain_one(config: SaeConfig) -> None:
    h = activations().double()
    trained, plain = train_sae(h, config, progress=False), plainly_trained(h, config)
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(trained.get_parameter(name), parameter, rtol=1e-9, atol=1e-11)
    start = SparseAutoencoder(h.shape[1], config.d_sae, config.activation, config.k, config.seed)
    assert not torch.allclose(start.w_enc.double(), trained.w_enc, atol=1e-3)


def test_a_stack_trains_each_as_alone() -> None:
    h = activations().double()
    configs = [
        *(replace(SMALL, seed=seed, l1=l1) for seed in (0, 1) for l1 in (1e-3, 1e-2)),
        *(replace(SMALL, seed=seed, ne=0.03) for seed in (2, 3)),
        *(replace(SPARSE, seed=seed, ne=ne) for seed in (0, 1) for ne in (0.0, 0.02)),
        *(replace(KINDS[3], seed=seed) for seed in (0, 1)),
        *(replace(KINDS[4], seed=seed, ne=ne) for seed in (0, 1) for ne in (0.0, 0.02)),
        SMALL,
    ]
    for config, together in zip(configs, train_saes(h, configs, progress=False), strict=True):
        alone = train_sae(h, config, progress=False)
        assert (together.activation, together.k) == (config.activation, config.k)
        for name, tensor in alone.state_dict().items():
            torch.testing.assert_close(together.state_dict()[name], tensor, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("config", KINDS)
def test_going_through_the_pairs_changes_nothing(config: SaeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = []
    for few in (0.0, 1.0):
        monkeypatch.setattr(nbkit.sae.pairs, "FEW_PAIRS", few)
        trained.append(train_sae(activations().double(), config, progress=False))
    for name, tensor in trained[0].state_dict().items():
        torch.testing.assert_close(trained[1].state_dict()[name], tensor, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("config", [SMALL, SPARSE])
def test_half_precision(config: SaeConfig) -> None:
    trained = train_sae(activations().bfloat16(), config, progress=False)
    assert trained.w_enc.dtype == torch.bfloat16
    plain = train_sae(activations().bfloat16().double(), config, progress=False)
    assert (trained.w_enc.double() - plain.w_enc).norm() < 0.05 * plain.w_enc.norm()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e3])
def test_half_precision_is_training_in_float32_and_rounded_once(dtype: torch.dtype, scale: float) -> None:
    data = (activations() * scale).to(dtype)
    for config in KINDS:
        trained = train_sae(data, config, progress=False).state_dict()
        exact = train_sae(data.float(), config, progress=False).state_dict()
        assert all(torch.equal(tensor, exact[name].to(dtype)) for name, tensor in trained.items())


def test_half_precision_in_a_stack_and_through_a_checkpoint(tmp_path: Path) -> None:
    data = activations().bfloat16()
    configs = [replace(SPARSE, activation="batch_topk", seed=seed) for seed in range(3)]
    for config, sae in zip(configs, train_saes(data, configs, progress=False), strict=True):
        alone = train_sae(data, config, tmp_path / str(config.seed), progress=False)
        assert sae.w_enc.dtype == torch.bfloat16
        torch.testing.assert_close(sae.w_enc, alone.w_enc, rtol=2**-7, atol=1e-6)
        assert same(alone, train_sae(data, config, tmp_path / str(config.seed), progress=False))


def test_a_batch_that_activates_nothing_leaves_the_threshold_finite() -> None:
    data = torch.cat([activations(48), torch.full((16, 10), -1e3)])  # the last batch of an epoch, of one at least
    config = replace(SMALL, activation="batch_topk", k=1, batch_size=1, l1=1e3, epochs=2)
    assert bool(train_sae(data, config, progress=False).threshold.isfinite())


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_numpy_is_taken(kind: type) -> None:
    data = activations().numpy().astype(kind)
    data.flags.writeable = False
    trained, plain = (train_sae(h, SMALL, progress=False) for h in (data, torch.from_numpy(data.copy())))
    assert same(trained, plain)
    assert same(train_saes(data, [SMALL], progress=False)[0], plain)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (np.ones((4, 5)) * 1j, "The activations hold complex numbers"),
        (torch.ones(4, 5) * 1j, "The activations hold complex numbers"),
        ("activations.npy", "The activations hold text"),
        ([[1.0], [1.0, 2.0]], "The activations are no array: their rows differ in length"),
        (np.ma.masked_equal(np.eye(3), 0), "The activations have masked entries"),
        (None, "The activations hold values of type object"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(data: Any, match: str) -> None:
    with pytest.raises(NbkitError, match=match):
        train_sae(data, SMALL, progress=False)


def test_what_is_no_config_is_refused() -> None:
    with pytest.raises(NbkitError, match=r"A dict is no way to train: give an nbkit\.SaeConfig"):
        train_sae(activations(), {"d_sae": 8}, progress=False)  # type: ignore[arg-type]


NO_NUMBERS = [float("nan"), float("inf"), -1, True, "1", None, [1], 1j, 10**400]


@pytest.mark.parametrize("config", [SaeConfig, AtlasConfig])
def test_every_field_of_a_config_refuses_what_it_is_not(config: Any) -> None:
    for field in fields(config):
        for value in NO_NUMBERS:
            if (field.name, value) in (("k", None), ("layers", [1])):
                continue
            with pytest.raises(NbkitError, match=f"{field.name}.* is ") as error:
                config(**{field.name: value})
            assert len(str(error.value)) <= 300


@pytest.mark.parametrize("number", [np.int64(1), np.array(1), np.uint8(1)])
def test_numpys_numbers_are_plain_ones_in_a_config(number: Any) -> None:
    for name in ("d_sae", "epochs", "seed", "k", "l1"):
        assert type(getattr(SaeConfig(**{name: number}), name)) is int
    assert AtlasConfig(layers=np.array([1, 0]), seed=number) == AtlasConfig(layers=[0, 1], seed=1)
    assert SaeConfig(l1=np.float32(0.5)).l1 == 0.5  # type: ignore[arg-type]


@pytest.mark.parametrize("layers", [[1.5], [1.0], ["0"], [True], 3, (), None, "0,1", b"0", np.array(1), [[0]]])
def test_layers_are_whole_numbers(layers: Any) -> None:
    with pytest.raises(NbkitError, match="layers"):
        AtlasConfig(layers=layers)


def test_more_autoencoders_than_a_stack_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nbkit.sae.training, "STACK", 2)
    configs = [replace(SMALL, seed=seed) for seed in range(5)]
    found = train_saes(activations(), configs, progress=False)
    for config, sae in zip(configs, found, strict=True):
        torch.testing.assert_close(sae.w_enc, train_sae(activations(), config, progress=False).w_enc)


def test_the_embedding_loss_waits_for_its_start() -> None:
    never = replace(SMALL, ne=0.5, ne_start=STEPS)
    assert same(train_sae(activations(), never, progress=False), train_sae(activations(), SMALL, progress=False))
    late = replace(never, ne_start=STEPS - 1)
    assert not same(train_sae(activations(), late, progress=False), train_sae(activations(), SMALL, progress=False))


class InterruptionError(Exception):
    pass


@pytest.mark.parametrize("config", KINDS)
@pytest.mark.parametrize("at", [1, 5, 6, 12])
def test_an_interrupted_run_goes_on_to_the_same_bits(
    config: SaeConfig, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_sae(activations(), config, progress=False)
    step = torch.optim.Adam.step
    count = 0

    def interrupted(*arguments: object, **named: object) -> object:
        nonlocal count
        count += 1
        if count == at + 1:
            raise InterruptionError
        return step(*arguments, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.Adam, "step", interrupted)
        with pytest.raises(InterruptionError):
            train_sae(activations(), config, tmp_path, progress=False)
    assert (tmp_path / CHECKPOINT).is_file() == (at >= config.checkpoint_every)
    assert same(train_sae(activations(), config, tmp_path, progress=False), whole)
    assert same(SparseAutoencoder.load(tmp_path), whole)
    assert same(train_sae(activations(), config, tmp_path, progress=False), whole)  # nothing is left to do


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    train_sae(activations(), SMALL, tmp_path, progress=False)
    before = (tmp_path / CHECKPOINT).read_bytes()
    for data, config in ((activations(), replace(SMALL, l1=0.5)), (activations() * 2, SMALL)):
        with pytest.raises(NbkitError, match="is the checkpoint of another config or other activations"):
            train_sae(data, config, tmp_path, progress=False)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    (tmp_path / CHECKPOINT).write_bytes(before[: len(before) // 2])
    with pytest.raises(NbkitError, match=r"can't be read .*: delete it to train from the beginning"):
        train_sae(activations(), SMALL, tmp_path, progress=False)


def test_a_run_goes_on_with_another_number_of_threads(tmp_path: Path) -> None:
    h, threads = torch.randn(20_000, 64, generator=torch.Generator().manual_seed(6)), torch.get_num_threads()
    try:
        for number in (1, 2):  # sums of so many depend on it in their last digits
            torch.set_num_threads(number)
            train_sae(h, replace(SMALL, batch_size=4096), tmp_path, progress=False)
    finally:
        torch.set_num_threads(threads)


def test_divergence_stops_with_the_last_good_checkpoint(tmp_path: Path) -> None:
    # Adam's steps are bounded by the learning rate, so it takes a mad one to leave the finite numbers.
    config = replace(SMALL, learning_rate=1e8, checkpoint_every=1, weight_decay=0.0)
    with pytest.raises(NbkitError, match=r"training diverged: the loss is not finite at step \d+ of 13.*last good"):
        train_sae(activations() * 1e10, config, tmp_path, progress=False)
    assert (tmp_path / CHECKPOINT).is_file()
    with pytest.raises(NbkitError, match=r"training diverged.*seed=7"):
        train_saes(activations() * 1e10, [replace(config, seed=7), replace(config, seed=8)], progress=False)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"l1": -1e-3}, "l1 is -0.001: it can't be negative or infinite"),
        ({"ne": -1.0}, "ne is -1.0: it can't be negative"),
        ({"ne": float("nan")}, "ne is nan"),
        ({"ne_start": -1}, "ne_start is -1"),
        ({"momentum": 1.0}, r"momentum is 1.0: choose one in \[0, 1\)"),
        ({"batch_size": 0}, "batch_size is 0: it must be at least 1"),
        ({"epochs": 0}, "epochs is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0: it must be positive"),
    ],
)
def test_bad_configs(change: dict[str, float], match: str) -> None:
    with pytest.raises(NbkitError, match=match):
        replace(SMALL, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (torch.zeros(0, 5), r"have shape \(0, 5\): pass \(n, d_in\)"),
        (torch.zeros(5), r"have shape \(5,\)"),
        (torch.zeros(4, 5, dtype=torch.long), "are torch.int64: pass floating-point numbers"),
        (torch.tensor([[0.0], [1.0], [float("nan")]]), "Row 2 of the activations holds NaN or infinite values"),
    ],
)
def test_bad_activations(data: Tensor, match: str) -> None:
    with pytest.raises(NbkitError, match=match):
        train_sae(data, SMALL, progress=False)
    with pytest.raises(NbkitError, match=match):
        train_saes(data, [SMALL], progress=False)


def test_bad_shapes_are_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(NbkitError, match="topk needs a number of latents from 1 to 24"):
        train_sae(activations(), replace(SMALL, activation="topk", k=25), tmp_path / "new", progress=False)
    assert not (tmp_path / "new").exists()
