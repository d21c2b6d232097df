"""One bit of a file flips, of every kind of file that nbkit writes: its reader refuses it or gives what it gave before,
and `check` finds it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch

from nbkit import assets, files
from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.job import SCAN
from nbkit.atlas.places import LocalPart
from nbkit.atlas.scan import BlockScan, scan_together
from nbkit.errors import NbkitError
from nbkit.explorers.atlas.shard_files import write_shards
from nbkit.features.importance import keep_importance, kept_importance
from nbkit.features.neighbors import neighbors_of
from nbkit.features.phrases import phrases_of
from nbkit.features.table import features_of
from nbkit.mnist.mlp import MnistMLP, mlp_for
from nbkit.models import LanguageModel
from nbkit.models.units import Units
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.config import SaeConfig
from nbkit.sae.training import train_sae
from nbkit.sae.training_run import TrainingRun
from nbkit.studies.shared.kept_tables import kept_table
from tests.assets.test_assets import toy_asset
from tests.examples.tiny_models import random_contexts
from tests.files.flips import with_flipped_bits

TIMES = 100
CONFIG = AtlasConfig(layers=[0, 2], batch_size=4, block_size=8, max_examples=6)
SAE_CONFIG = SaeConfig(d_sae=6, batch_size=8, checkpoint_every=2)
DATA = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))


class Kept(NamedTuple):
    """A file, and what its reader gives, in a form that can be compared."""

    path: Path
    read: Callable[[], object]


def plain(value: Any) -> object:
    """Arrays as bytes, tables as what they hold."""
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, pd.DataFrame):
        return value.dtypes.astype(str).to_dict(), value.to_json(double_precision=15)
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return value


@pytest.fixture(scope="module")
def kept(tiny_model: Callable[[str], LanguageModel], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kept]:
    """A file of every kind."""
    folder, model = tmp_path_factory.mktemp("kept"), tiny_model("gpt2")
    atlas = build_atlas(model, random_contexts(20, 24), folder / "atlas", CONFIG, progress=False)
    keep_importance(model, atlas, [(0, 1), (2, 3)], progress=False)
    neighbors_of(atlas, "input", progress=False)
    phrases_of(atlas, progress=False)
    atlas.metrics("gradient", progress=False)
    train_sae(DATA, SAE_CONFIG, folder / "sae", progress=False)

    def of_atlas(name: str, read: Callable[[Atlas], object]) -> Kept:
        return Kept(atlas.path / name, lambda: read(open_atlas(atlas.path)))

    def restored() -> object:
        run = TrainingRun(DATA, [SAE_CONFIG])
        run.restore(folder / "sae/checkpoint.safetensors")
        return run.step, run._state()

    def of_sae() -> object:
        sae = SparseAutoencoder.load(folder / "sae")
        return sae.activation, sae.k, sae.state_dict()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBKIT_CACHE", str(folder / "cache"))
        patch.setattr("nbkit.mnist.mlp.load_mnist", lambda: None)
        patch.setattr("nbkit.mnist.mlp.train_mlp", lambda *_, **__: MnistMLP(1))
        patch.setattr("nbkit.assets.cache.obtain", lambda _, place: _written(place / "toy"))
        patch.setitem(assets.ASSETS, "toy", toy_asset())
        mlp_for(0)
        kept_table("toy", {}, lambda: pd.DataFrame({"seed": [0, 1], "mse": [0.1, np.nan]}))
        toy = assets.fetch("toy")
    cache = folder / "cache"
    return {
        "manifest": of_atlas("atlas.json", lambda atlas: asdict(atlas.manifest)),
        "layer": of_atlas("layer-02.safetensors", lambda atlas: atlas._layer(2).tensors),
        "contexts": of_atlas("contexts.safetensors", lambda atlas: atlas.tokens),
        "vocabulary": of_atlas("vocabulary.parquet", lambda atlas: atlas.vocabulary),
        "neurons": of_atlas("neurons.parquet", lambda atlas: atlas.neurons),
        "metrics": of_atlas("metrics-gradient.parquet", lambda atlas: atlas.metrics("gradient")),
        "features": of_atlas("features.parquet", features_of),
        "phrases": of_atlas("phrases.parquet", phrases_of),
        "importance": of_atlas("importance.safetensors", kept_importance),
        "neighbors": of_atlas("similar-input.safetensors", lambda atlas: vars(neighbors_of(atlas, "input"))),
        "checkpoint": Kept(folder / "sae/checkpoint.safetensors", restored),
        "autoencoder": Kept(folder / "sae/sae.safetensors", of_sae),
        "description": Kept(folder / "sae/cfg.json", of_sae),
        "MLP": Kept(_only(cache / "mlps", "*.safetensors"), lambda: mlp_for(0).state_dict()),
        "table": Kept(_only(cache / "results", "*.parquet"), lambda: kept_table("toy", {}, _never)),
        "asset": Kept(toy, lambda: assets.fetch("toy").read_bytes()),
        "asset's list": Kept(toy.parent / "asset.json", lambda: assets.fetch("toy").read_bytes()),
    }


def _written(path: Path) -> Path:
    from tests.assets.test_assets import CONTENT

    path.write_bytes(CONTENT)
    return path


def _only(folder: Path, pattern: str) -> Path:
    [found] = folder.glob(pattern)
    return found


def _never() -> pd.DataFrame:
    raise AssertionError("made again")


@pytest.fixture
def _in_its_cache(kept: dict[str, Kept], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBKIT_CACHE", str(kept["asset"].path.parents[1]))
    monkeypatch.setenv("NBKIT_OFFLINE", "1")
    monkeypatch.setitem(assets.ASSETS, "toy", toy_asset())


KINDS = ["manifest", "layer", "contexts", "vocabulary", "neurons", "metrics", "features", "phrases", "importance"]
KINDS += ["neighbors", "checkpoint", "autoencoder", "description", "MLP", "table", "asset", "asset's list"]


@pytest.mark.usefixtures("_in_its_cache")
@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_never_gives_another_number(kind: str, kept: dict[str, Kept]) -> None:
    path, read = kept[kind]
    expected, refused = plain(read()), []
    for _ in with_flipped_bits(path, TIMES):
        try:
            assert plain(read()) == expected
        except NbkitError as error:
            refused.append(str(error))
    assert plain(read()) == expected
    assert len(refused) >= (0.4 if path.suffix == ".json" else 0.9) * TIMES  # the rest are of the seal itself
    assert all(len(said.splitlines()) == 1 for said in refused)


@pytest.mark.parametrize("kind", KINDS)
def test_a_check_names_the_file(kind: str, kept: dict[str, Kept]) -> None:
    folder, path = kept["layer"].path.parents[1], kept[kind].path
    intact = files.check(folder)
    assert not intact.damaged and intact.intact >= len(KINDS)
    whole = path.read_bytes()
    path.write_bytes(whole[:9] + bytes([whole[9] ^ 1]) + whole[10:])
    assert list(files.check(folder).damaged) == [path]
    path.write_bytes(whole)


def test_the_explorer_s_files_are_made_again(kept: dict[str, Kept]) -> None:
    atlas = open_atlas(kept["layer"].path.parent)
    folder = write_shards(atlas, progress=False)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in ("overview.js", "neurons-00000.js"):
        for _ in with_flipped_bits(folder / name, 2):
            write_shards(atlas, progress=False)
            assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_block_is_refused_before_it_reaches_the_atlas(
    tiny_model: Callable[[str], LanguageModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = functools.partial(
        build_atlas, tiny_model("gpt2"), random_contexts(20, 24), tmp_path / "atlas", CONFIG, progress=False
    )

    def interrupted(units: Units, scans: Mapping[int, BlockScan]) -> None:
        if scans[0].start == 16:
            raise KeyboardInterrupt
        scan_together(units, scans)

    monkeypatch.setattr("nbkit.atlas.job.scan_together", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build()
    block = tmp_path / "atlas" / SCAN / "block-000001.safetensors"
    for _ in with_flipped_bits(block, TIMES):
        with pytest.raises(NbkitError, match="is damaged: delete it and run again to scan it again"):
            LocalPart(block).verify("")
    for _ in with_flipped_bits(block, 5):
        with pytest.raises(NbkitError, match=r"block-000001\.safetensors is damaged: delete it and run again"):
            build()
