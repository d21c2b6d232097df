"""The sample that a cost model of large runs is measured on, of a tiny model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.scan import BlockScan, Bounds, scan_block
from nbkit.errors import NbkitError
from nbkit.models import LanguageModel
from nbkit.models.neurons import MlpNeurons
from nbkit.studies import large_run
from nbkit.studies.large_run.sample import Sample, bounds_behind, take_sample
from nbkit.studies.large_run.shape import Shape
from tests.examples.tiny_models import random_contexts


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[[str], LanguageModel]) -> Atlas:
    """Of few examples, so that later contexts are ruled out by ranks, too."""
    config = AtlasConfig(max_examples=3, threshold=0.2, batch_size=4, block_size=10)
    return build_atlas(
        tiny_model("llama"), random_contexts(40, 32), tmp_path_factory.mktemp("atlas"), config, progress=False
    )


@pytest.fixture(scope="module")
def sample(atlas: Atlas) -> Sample:
    return take_sample(atlas, n_blocks=3, block_size=8, n_layers=1, n_neurons=5, progress=False)


def test_an_atlas_says_as_much_as_all_of_its_blocks(atlas: Atlas, tiny_model: Callable[[str], LanguageModel]) -> None:
    units = MlpNeurons(tiny_model("llama"))
    config = AtlasConfig(max_examples=3, threshold=0.2, batch_size=4, block_size=10).resolved(units)
    text = atlas.contexts
    seen = Bounds(len(config.numbers), units.model.d_mlp, 3)
    for start in range(0, 40, 10):
        seen.absorb(scan_block(BlockScan(units, text, start, config, seen)), config.numbers)
    told = bounds_behind(atlas)
    torch.testing.assert_close(told.maximum, seen.maximum)
    assert torch.equal(told.levels.top, seen.levels.top) and torch.equal(told.levels.count, seen.levels.count)
    assert (seen.kth_largest > 0).any()
    fresh = random_contexts(10, 32, seed=7)
    by_atlas, by_blocks = (scan_block(BlockScan(units, fresh, 0, config, bounds)) for bounds in (told, seen))
    assert by_atlas.keys() == by_blocks.keys()
    for name, tensor in by_blocks.items():
        assert torch.equal(by_atlas[name], tensor), name
    alone = scan_block(BlockScan(units, fresh, 0, config))
    assert sum(map(len, alone.values())) > sum(map(len, by_blocks.values())), "it rules something out"


def test_blocks_are_counted_and_timed(sample: Sample, tiny_model: Callable[[str], LanguageModel]) -> None:
    blocks = sample.blocks
    assert blocks["seen"].tolist() == [0, 8, 16]
    assert (blocks[["bare", "scan", "write", "bytes"]] > 0).all(axis=None)
    assert sample.shape == Shape.of(tiny_model("llama"))
    assert blocks["candidates"].is_monotonic_decreasing and sample.last["candidates"] < blocks["candidates"][0]
    assert min(sample.check, sample.merge, sample.merged_bytes, sample.effects, sample.metrics) > 0
    assert sample.workers.start > 0 and sample.workers.efficiency > 0


def test_bytes_are_those_of_the_file(sample: Sample) -> None:
    """All but the header, which on a block of so few neurons is not little."""
    each, shape = sample.bytes_of, sample.shape
    for row in sample.blocks.itertuples():
        records = row.candidates * each["candidate"] + row.levels * each["level"] + each["neuron"]
        vectors = row.vectors * shape.d_model * each["number"]
        tensors = shape.n_layers * (shape.d_mlp * records + vectors)
        assert 0 < row.bytes - tensors < 6_000
        assert (row.bytes - tensors) % 1 == pytest.approx(0, abs=1e-6)


def test_a_page_can_be_made_of_it(sample: Sample) -> None:
    here = large_run.measured(sample)
    found = large_run.checked(sample, here)
    assert np.isfinite(found.table.data.to_numpy(dtype=float)).all()
    assert 0 < here.positions <= 1 and here.flops > 0


def test_a_text_that_is_too_short_is_told(atlas: Atlas) -> None:
    with pytest.raises(NbkitError, match=r"has 40 contexts, 6 blocks of 8 have more"):
        take_sample(atlas, n_blocks=6, block_size=8)
    with pytest.raises(NbkitError, match="n_blocks is 1"):
        take_sample(atlas, n_blocks=1)


def test_an_atlas_of_latents_is_told(atlas: Atlas) -> None:
    sites = tuple(replace(site, unit="latent") for site in atlas.manifest.sites)
    with pytest.raises(NbkitError, match="is of latents: a large run is planned"):
        take_sample(replace(atlas, manifest=replace(atlas.manifest, sites=sites)))


def test_nothing_is_left_behind(sample: Sample, atlas: Atlas) -> None:
    assert not list(Path(atlas.path).glob("*block*")) and not (atlas.path / "scan").exists()
