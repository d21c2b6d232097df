"""A finished atlas of another user, or on a disk that only gives: it opens; what it lacks is made in memory."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nbkit
from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.build import build_atlas
from nbkit.atlas.build_folder import BUILD_LOCK
from nbkit.atlas.config import AtlasConfig
from nbkit.errors import NbkitError
from nbkit.explorers.atlas.shard_files import put_shards, write_shards
from nbkit.features.importance import keep_importance, kept_importance
from nbkit.features.neighbors import neighbors_of
from nbkit.features.phrases import phrases_of
from nbkit.features.table import features_of
from nbkit.models import LanguageModel
from tests.examples.tiny_models import random_contexts
from tests.files.disks import refusing

CONFIG = AtlasConfig(layers=[1], batch_size=4, block_size=8, max_examples=6)
CONTEXTS = random_contexts(20, 24)


@pytest.fixture
def model(tiny_model: Callable[[str], LanguageModel]) -> LanguageModel:
    return tiny_model("gpt2")


@pytest.fixture(params=[errno.EROFS, errno.EACCES])
def folder(
    model: LanguageModel, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder of an atlas that can't be written any more, without a lock."""
    build_atlas(model, CONTEXTS, tmp_path / "atlas", CONFIG, progress=False)
    (tmp_path / "atlas" / BUILD_LOCK).unlink(missing_ok=True)
    monkeypatch.setattr("os.open", refusing(request.param, tmp_path / "atlas"))
    return tmp_path / "atlas"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_same_build_opens_it(folder: Path, model: LanguageModel) -> None:
    before = names(folder)
    atlas = build_atlas(model, CONTEXTS, folder, CONFIG, progress=False)
    assert atlas.layers == (1,)
    assert names(folder) == before and BUILD_LOCK not in before
    with pytest.raises(NbkitError, match="holds an atlas of another seed: choose another folder"):
        build_atlas(
            model, CONTEXTS, folder, AtlasConfig(layers=[1], batch_size=4, block_size=8, max_examples=6, seed=1)
        )


def test_what_it_lacks_is_made_in_memory_once(
    folder: Path, model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = names(folder)
    atlas = open_atlas(folder)
    made = made_from(atlas)
    keep_importance(model, atlas, [(1, 2)], progress=False)
    importance = kept_importance(atlas)
    assert names(folder) == before
    with monkeypatch.context() as patch:
        patch.setattr("nbkit.features.table.gather", None)
        patch.setattr("nbkit.features.phrases.gather", None)
        assert made_from(atlas)["features"] is made["features"]
    put_shards(atlas, tmp_path / "site", progress=False)
    assert nbkit.explore(atlas)._shards.names()
    assert names(folder) == before

    monkeypatch.undo()
    atlas = open_atlas(folder)
    for name, kept in made_from(atlas).items():
        pd.testing.assert_frame_equal(made[name], kept)
    keep_importance(model, atlas, [(1, 2)], progress=False)
    assert {key: value.tolist() for key, value in kept_importance(atlas).items()} == {
        key: value.tolist() for key, value in importance.items()
    }
    put_shards(atlas, tmp_path / "again", progress=False)
    assert names(tmp_path / "site") == names(tmp_path / "again")
    for name in names(tmp_path / "site"):
        assert (tmp_path / "site" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def made_from(atlas: Atlas) -> dict[str, pd.DataFrame]:
    near = neighbors_of(atlas, "input", progress=False)
    return {
        "features": features_of(atlas, progress=False),
        "phrases": phrases_of(atlas, progress=False),
        "metrics": atlas.metrics("gradient", progress=False),
        "neighbors": pd.DataFrame(np.hstack([near.feature.reshape(len(near.feature), -1)])),
    }


def test_the_explorer_s_files_need_a_folder_of_one_s_own(folder: Path) -> None:
    with pytest.raises(NbkitError, match=r"can't write the shards of .*atlas \("):
        write_shards(open_atlas(folder), progress=False)


def test_a_full_disk_is_told(model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    atlas = build_atlas(model, CONTEXTS, tmp_path / "atlas", CONFIG, progress=False)
    monkeypatch.setattr("os.open", refusing(errno.ENOSPC, tmp_path / "atlas"))
    with pytest.raises(NbkitError, match=r"can't write .*features.parquet \(No space left on device\)"):
        features_of(atlas, progress=False)
