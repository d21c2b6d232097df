"""On a GPU a scan looks at several sites at once; here it is made to on the CPU, and must find what it finds one by
one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

import nbkit
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.scan import Block, BlockScan, Bounds, scan_block
from nbkit.corpora import Contexts
from nbkit.errors import NbkitError
from nbkit.models import LanguageModel, load_model
from nbkit.models.neurons import MlpNeurons
from nbkit.models.sign import SIGNS, Sign
from nbkit.models.units import Units
from nbkit.units.together import join_units
from tests.examples.latent_units import tiny_latents
from tests.examples.stopped_writes import sums
from tests.examples.tiny_models import random_contexts

CONFIG = AtlasConfig(max_examples=3, batch_size=5, block_size=18)


def blocks(units: Units, contexts: Contexts, config: AtlasConfig) -> list[Block]:
    config = config.resolved(units)
    bounds, made = Bounds(len(config.numbers), max(site.n_units for site in units.sites), config.max_examples), []
    for start in range(0, len(contexts.tokens), config.block_size):
        made.append(scan_block(BlockScan(units, contexts, start, config, bounds)))
        bounds.absorb(made[-1], config.numbers)
    return made


def same(one: Sequence[Block], other: Sequence[Block]) -> bool:
    return all(
        a.keys() == b.keys() and all(torch.equal(a[name].nan_to_num(7), b[name].nan_to_num(7)) for name in a)
        for a, b in zip(one, other, strict=True)
    )


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    return lambda n: monkeypatch.setattr("nbkit.atlas.scan.sites_together", lambda *_: n)


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("architecture", ["gpt2", "llama", "bert"])
def test_neurons(
    architecture: str, sign: Sign, tiny_model: Callable[[str], LanguageModel], at_once: Callable[[int], None]
) -> None:
    units, config = MlpNeurons(tiny_model(architecture)), AtlasConfig(**vars(CONFIG) | {"sign": sign})
    contexts = random_contexts(40, 32, last_special=architecture == "bert")
    alone = blocks(units, contexts, config)
    for n in (2, 9):
        at_once(n)
        assert same(blocks(units, contexts, config), alone)


def test_sites_of_different_sizes_in_any_order(
    tiny_model: Callable[[str], LanguageModel], at_once: Callable[[int], None]
) -> None:
    latents = tiny_latents(tiny_model("llama"))
    contexts = random_contexts(40, 32)
    for units in (latents, join_units(latents, tiny_model("llama")), join_units(tiny_model("llama"), latents)):
        alone = blocks(units, contexts, CONFIG)
        for n in (2, 9):
            at_once(n)
            assert same(blocks(units, contexts, CONFIG), alone)
        at_once(1)


def test_layers_of_different_shapes(tmp_path: Path, at_once: Callable[[int], None]) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 6), nn.ReLU()
    )
    images = torch.rand(30, 1, 8, 8)
    for n in (1, 3):
        at_once(n)
        nbkit.atlas_from_module(net, ["0", "2", "5"], images, tmp_path / str(n), config=CONFIG, progress=False)
    assert sums(tmp_path / "1") == sums(tmp_path / "3")


def test_activations_that_are_not_finite(tiny_folder: Callable[[str], Path], at_once: Callable[[int], None]) -> None:
    model = load_model(tiny_folder("gpt2"), dtype="float32", device="cpu")
    with torch.no_grad():  # neuron 3 of the middle layer alone
        model.network.transformer.h[1].mlp.c_fc.weight[:, 3] = torch.finfo(torch.float32).max
        model.network.transformer.h[1].mlp.c_proj.weight[3] = 0
    units = MlpNeurons(model)
    config = AtlasConfig(**vars(CONFIG) | {"layers": [0, 1]})
    contexts = random_contexts(40, 32)
    alone = blocks(units, contexts, config)
    assert bool(alone[0]["maximum"][1, 3].isnan())
    assert int(alone[0]["maximum"].isnan().sum()) == 1
    for n in (2, 9):
        at_once(n)
        assert same(blocks(units, contexts, config), alone)
    with torch.no_grad():
        model.network.transformer.h[1].mlp.c_fc.weight.fill_(torch.nan)
    with pytest.raises(NbkitError, match="layer 1: activations that are not finite in contexts 0 to 4"):
        blocks(units, contexts, config)
