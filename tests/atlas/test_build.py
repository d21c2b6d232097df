"""Building an atlas: the same bytes however often it was interrupted, and nothing into another's folder."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from tqdm.auto import tqdm

from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.build import build_atlas
from nbkit.atlas.build_folder import BUILD_LOCK, contexts_folder
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.job import IDENTITY, SCAN
from nbkit.atlas.manifest import ATLAS_SCHEMA, MANIFEST, Manifest
from nbkit.atlas.scan import BlockScan, scan_together
from nbkit.corpora import Contexts
from nbkit.errors import NbkitError
from nbkit.files import read_json, write_json
from nbkit.files.seal import seal
from nbkit.models import LanguageModel
from nbkit.models.units import Units
from tests.atlas import killed_builds
from tests.examples.tiny_models import D_MLP, N_LAYERS, random_contexts

ROOT = Path(__file__).parents[2]
CONFIG = AtlasConfig(layers=[0, 2], batch_size=4, block_size=8, max_examples=6)
CONTEXTS = random_contexts(20, 24)


def checksums(folder: Path) -> dict[str, str]:
    """sha256 of every file but the lock."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != BUILD_LOCK)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def build(model: LanguageModel, out: Path, **changes: Any) -> Atlas:
    arguments: dict[str, Any] = {"model": model, "contexts": CONTEXTS, "out": out, "config": CONFIG, "progress": False}
    return build_atlas(**(arguments | changes))


@pytest.fixture
def model(tiny_model: Callable[[str], LanguageModel]) -> LanguageModel:
    return tiny_model("gpt2")


@pytest.fixture(scope="module")
def whole(tiny_model: Callable[[str], LanguageModel], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Checksums of an atlas that was built without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    build(tiny_model("gpt2"), folder)
    return checksums(folder)


def interrupt(model: LanguageModel, out: Path, monkeypatch: pytest.MonkeyPatch, after: int = 2) -> None:
    """Builds until `after` blocks are on disk."""
    scanned = 0

    def interrupted(units: Units, scans: Mapping[int, BlockScan]) -> None:
        nonlocal scanned
        if scanned == after:
            raise KeyboardInterrupt
        scanned += 1
        scan_together(units, scans)

    with monkeypatch.context() as patch:
        patch.setattr("nbkit.atlas.job.scan_together", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build(model, out)
    assert len(list((out / SCAN).glob("block-*"))) == after


def no_forward_pass(*_: object, **__: object) -> AbstractContextManager[None]:
    raise AssertionError("the model was run")


def test_leaves_the_files_that_the_manifest_names(model: LanguageModel, tmp_path: Path, whole: dict[str, str]) -> None:
    atlas = build(model, tmp_path)
    expected = {"contexts.safetensors", "vocabulary.parquet", "neurons.parquet"}
    expected |= {"layer-00.safetensors", "layer-02.safetensors"}
    assert set(json.loads((tmp_path / MANIFEST).read_text())["files"]) == expected
    assert set(whole) == expected | {MANIFEST}
    assert checksums(tmp_path) == whole
    assert (atlas.manifest.corpus, atlas.manifest.n_contexts, atlas.manifest.length) == ("random-0", 20, 24)
    assert (atlas.layers, atlas.manifest.embedding, atlas.manifest.dtype) == ((0, 2), "centered", "float32")
    # Who may read the folder may read its files.
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if path.name != BUILD_LOCK} == {
        tmp_path.stat().st_mode & 0o666
    }


def test_killed_at_any_moment_and_run_again_the_bytes_are_the_same(
    tiny_folder: Callable[[str], Path], model: LanguageModel, tmp_path: Path
) -> None:
    folder = tiny_folder("gpt2")
    command = [sys.executable, "-m", "tests.atlas.killed_builds", str(folder), str(tmp_path / "killed")]
    # A process that has asked a GPU for gradients can't be forked.
    alone = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(command, cwd=ROOT, check=True, env=alone)
    killed_builds.build(model, tmp_path / "whole")
    expected = checksums(tmp_path / "whole")
    killed = {path.name: checksums(path) for path in (tmp_path / "killed").iterdir()}
    # 10 files are written and one folder is removed, with two moments each; the 23rd build is not killed any more.
    builds = [f"killed-{moment:03d}" for moment in range(1, 24)] + ["killed-again", "together"]
    for name in builds:
        assert killed.pop(name) == expected, name
    for work in ("derive", "train"):
        expected = _without_times(killed.pop(f"whole-{work}"))
        names = [name for name in killed if work in name]
        assert len(names) > (14 if work == "derive" else 6)
        for name in names:
            assert _without_times(killed.pop(name)) == expected, name
    assert killed == {}


def _without_times(files: dict[str, str]) -> dict[str, str]:
    """Without the list of the explorer's files, which has the times of what they are made from, and locks."""
    return {name: sum_ for name, sum_ in files.items() if not name.endswith(("made-from.json", ".lock"))}


def test_goes_on_where_it_was_interrupted(
    model: LanguageModel, tmp_path: Path, whole: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(model, tmp_path, monkeypatch)
    with pytest.raises(NbkitError, match="interrupted: run the same build again to finish it"):
        open_atlas(tmp_path)
    starts = []

    def counted(units: Units, scans: Mapping[int, BlockScan]) -> None:
        starts.append(scans[0].start)
        scan_together(units, scans)

    monkeypatch.setattr("nbkit.atlas.job.scan_together", counted)
    build(model, tmp_path, progress=True)
    assert starts == [16]
    assert checksums(tmp_path) == whole


def test_a_resumed_scan_knows_what_the_earlier_blocks_found(
    model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[tuple[int, Tensor, Tensor]] = []

    def watched(units: Units, scans: Mapping[int, BlockScan]) -> None:
        start, bounds = scans[0].start, scans[0].bounds
        known.append((start, bounds.maximum.clone(), bounds.kth_largest.clone()))
        scan_together(units, scans)

    interrupt(model, tmp_path / "resumed", monkeypatch)
    monkeypatch.setattr("nbkit.atlas.job.scan_together", watched)
    build(model, tmp_path / "whole")
    build(model, tmp_path / "resumed")
    assert [start for start, *_ in known] == [0, 8, 16, 16]
    assert (known[0][1] == 0).all() and (known[1][1] > 0).any() and (known[2][1] > known[1][1]).any()
    assert torch.equal(known[2][1], known[3][1]) and torch.equal(known[2][2], known[3][2])


def test_counts_only_what_it_computes_in_the_speed(
    model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt(model, tmp_path, monkeypatch)
    bars = []

    class Bar(tqdm):  # type: ignore[type-arg]
        def close(self) -> None:
            bars.append((self.desc, self.initial, self.n, self.total))
            super().close()

    monkeypatch.setattr("nbkit.atlas.job.tqdm", Bar)
    build(model, tmp_path, progress=True)
    assert bars[0] == ("scan", 16, 20, 20)
    assert "20/20" in capsys.readouterr().err


def test_a_finished_atlas_is_opened_without_running_the_model(
    model: LanguageModel, tmp_path: Path, whole: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build(model, tmp_path)
    monkeypatch.setattr("nbkit.models.units.hooked", no_forward_pass)
    assert build(model, tmp_path).layers == (0, 2)
    assert checksums(tmp_path) == whole


def test_half_written_files_are_removed(
    model: LanguageModel, tmp_path: Path, whole: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(model, tmp_path, monkeypatch)
    for leftover in (".layer-00.safetensors.1.tmp", f"{SCAN}/.block-000002.safetensors.1.tmp", f"{SCAN}/.tmpVf7YML"):
        (tmp_path / leftover).write_bytes(b"half")
    build(model, tmp_path)
    assert checksums(tmp_path) == whole


def test_a_damaged_block_is_named(model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(model, tmp_path, monkeypatch)
    block = tmp_path / SCAN / "block-000001.safetensors"
    block.write_bytes(block.read_bytes()[:100])
    with pytest.raises(
        NbkitError, match=r"block-000001.safetensors is damaged: delete it and run again to scan it again"
    ):
        build(model, tmp_path)


DIFFERENCES: list[tuple[dict[str, Any], str]] = [
    ({"config": replace(CONFIG, threshold=0.5)}, "threshold"),
    ({"config": replace(CONFIG, layers=[0])}, "sites"),
    ({"config": replace(CONFIG, max_examples=5)}, "max_examples"),
    ({"config": replace(CONFIG, weights="folded")}, "weights"),
    ({"config": replace(CONFIG, batch_size=8, seed=1)}, "batch_size, seed"),
    ({"config": replace(CONFIG, block_size=4)}, "block_size"),
    ({"contexts": random_contexts(20, 24, seed=1)}, "corpus, contexts_sha256"),
    ({"contexts": replace(CONTEXTS, name="renamed")}, "corpus"),
    ({"contexts": replace(CONTEXTS, tokens=CONTEXTS.tokens[:12])}, "contexts_sha256, n_contexts"),
    ({"maxima": np.ones((N_LAYERS, D_MLP))}, "maxima_sha256"),
]


@pytest.mark.parametrize(("changes", "named"), DIFFERENCES, ids=[named for _, named in DIFFERENCES])
def test_never_goes_on_in_the_folder_of_another(
    changes: dict[str, Any], named: str, model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(model, tmp_path / "begun", monkeypatch)
    begun, finished = tmp_path / "begun", tmp_path / "finished"
    # A finished one's manifest is enough to be told from another.
    finished.mkdir()
    identity = read_json(begun / SCAN / IDENTITY)
    write_json(identity, finished / MANIFEST)
    monkeypatch.setattr("nbkit.models.units.hooked", no_forward_pass)
    for folder in (begun, finished):
        before = checksums(folder)
        with pytest.raises(NbkitError, match=rf"holds an atlas of another {named}: choose another folder"):
            build(model, folder, **changes)
        assert checksums(folder) == before


@pytest.mark.parametrize("asked", ["paper", "gradient"])
def test_another_embedding_is_no_other_atlas_once_it_is_finished(
    asked: Any, model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(CONFIG, embedding=asked)
    interrupt(model, tmp_path, monkeypatch)
    with pytest.raises(NbkitError, match="holds an atlas of another embedding: choose another folder"):
        build(model, tmp_path, config=config)
    built = build(model, tmp_path)
    before = checksums(tmp_path)
    monkeypatch.setattr("nbkit.models.units.hooked", no_forward_pass)
    found = build(model, tmp_path, config=config)
    assert found.manifest == replace(built.manifest, embedding="input" if asked == "paper" else asked)
    assert found.path == built.path and not found.neurons["mean_distance"].equals(built.neurons["mean_distance"])
    assert before.items() <= checksums(tmp_path).items()
    assert build(model, tmp_path).manifest == built.manifest == open_atlas(tmp_path).manifest


def test_another_model_or_library_is_another_atlas(
    model: LanguageModel,
    tiny_model: Callable[[str], LanguageModel],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupt(model, tmp_path, monkeypatch)
    with pytest.raises(NbkitError, match=r"another model, model_sha256, sites:"):
        build(tiny_model("llama"), tmp_path)
    with pytest.raises(NbkitError, match="another model:"):
        build(replace(model, name="renamed"), tmp_path)
    monkeypatch.setattr("nbkit.atlas.job.version", lambda name: "0.0")
    with pytest.raises(NbkitError, match="another versions:"):
        build(model, tmp_path)


def test_every_field_of_the_manifest_tells_two_atlases_apart(model: LanguageModel, tmp_path: Path) -> None:
    manifest = build(model, tmp_path).manifest
    for name in Manifest.__dataclass_fields__:
        change: dict[str, Any] = {name: "other"}
        assert manifest.differences(replace(manifest, **change)) == [name]
    assert manifest.differences(open_atlas(tmp_path).manifest) == []


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", ".mine.tmp", "layer-00.safetensors"])
def test_a_folder_with_something_else_in_it_stays_as_it_is(name: str, model: LanguageModel, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(NbkitError, match=rf"is not empty and holds no atlas \({name}\): choose another folder"):
        build(model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("inside", ["block-000000.safetensors", "photo.png", "contexts", "contexts/mine.txt", None])
def test_a_foreign_folder_called_scan_stays_as_it_is(inside: str | None, model: LanguageModel, tmp_path: Path) -> None:
    if inside is None:
        (tmp_path / SCAN).write_text("a file")
    else:
        (tmp_path / SCAN / inside).parent.mkdir(parents=True)
        (tmp_path / SCAN / inside).write_text("mine")
    before = checksums(tmp_path)
    for begin in (lambda: build(model, tmp_path), lambda: contexts_folder(tmp_path)):
        with pytest.raises(NbkitError, match=r"holds no atlas \(scan\)"):
            begin()
    assert checksums(tmp_path) == before


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", f'{{"schema": {ATLAS_SCHEMA}}}', "\x00", '"atlas"'])
@pytest.mark.parametrize("name", [MANIFEST, f"{SCAN}/{IDENTITY}"])
def test_a_foreign_manifest_is_refused(name: str, text: str, model: LanguageModel, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    with pytest.raises(NbkitError, match="is not an atlas's manifest, or not as it was written: choose another"):
        build(model, tmp_path)
    assert (tmp_path / name).read_text() == text


@pytest.mark.parametrize("out", ["file", "file/atlas"])
def test_a_file_in_place_of_the_folder(out: str, model: LanguageModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(NbkitError, match=r"can't write to .*file.* \((File exists|Not a directory)\): choose another"):
        build(model, tmp_path / out)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["block-", "layer-", "contexts", "vocabulary", "neurons", MANIFEST])
def test_a_full_disk_is_told_and_leaves_nothing_half_written(
    name: str, model: LanguageModel, tmp_path: Path, whole: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(model, tmp_path, monkeypatch)
    before = set(checksums(tmp_path))

    def full_disk(path: Path) -> None:
        if path.name.startswith(f".{name}"):
            os.truncate(path, path.stat().st_size // 2)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        seal(path)

    with monkeypatch.context() as patch:
        patch.setattr("nbkit.files.formats.seal", full_disk)
        with pytest.raises(NbkitError, match=r"can't write .*No space left on device.*\d GB are free there: make room"):
            build(model, tmp_path)
    left = set(checksums(tmp_path))
    assert left >= before and not [name for name in left if name.endswith(".tmp")]
    build(model, tmp_path)
    assert checksums(tmp_path) == whole


def test_a_write_interrupted_by_hand_leaves_nothing_half_written(
    model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted_by_hand(path: Path) -> None:
        if path.name.startswith(".block-"):
            raise KeyboardInterrupt
        seal(path)

    monkeypatch.setattr("nbkit.files.formats.seal", interrupted_by_hand)
    with pytest.raises(KeyboardInterrupt):
        build(model, tmp_path)
    assert set(checksums(tmp_path)) == {f"{SCAN}/{IDENTITY}"}


@pytest.mark.parametrize("target", ["nbkit.atlas.build_folder.FileLock.acquire", "pathlib.Path.mkdir"])
def test_a_read_only_folder_is_told(
    target: str, model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    (tmp_path / "atlas").mkdir()
    model.fingerprint  # noqa: B018 - computed before the file system is broken
    monkeypatch.setattr(target, read_only)
    with pytest.raises(NbkitError, match=r"can't write to .*atlas \(Read-only file system\): choose another folder"):
        build(model, tmp_path / "atlas")


def test_a_folder_that_turns_read_only_is_told(
    model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = Path.mkdir

    def read_only(path: Path, *arguments: Any, **options: Any) -> None:
        if path.name == SCAN:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        mkdir(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", read_only)
    with pytest.raises(NbkitError, match=r"can't write to .* \(Read-only file system\)"):
        build(model, tmp_path)


@pytest.mark.parametrize(
    ("maxima", "message"),
    [
        (np.ones((N_LAYERS, D_MLP + 1)), r"has shape \(3, 41\): .* needs \(layers, neurons\) = \(3, 40\)"),
        (np.ones((2, D_MLP)), r"has shape \(2, 40\)"),  # of the scanned layers only
        (np.ones(D_MLP), r"has shape \(40,\)"),
        (np.full((N_LAYERS, D_MLP), np.nan), "holds NaN or infinite values"),
        (np.full((N_LAYERS, D_MLP), 1e300), "holds NaN or infinite values"),
        (np.full((N_LAYERS, D_MLP), "much"), "doesn't hold numbers"),
        (np.full((N_LAYERS, D_MLP), None), "doesn't hold numbers"),
        (np.full((N_LAYERS, D_MLP), {}), "doesn't hold numbers"),
    ],
)
def test_a_table_of_maxima_that_does_not_fit_is_refused(
    maxima: np.ndarray, message: str, model: LanguageModel, tmp_path: Path
) -> None:
    with pytest.raises(NbkitError, match=message):
        build(model, tmp_path / "atlas", maxima=maxima)
    assert not (tmp_path / "atlas").exists()


def test_given_maxima_are_those_of_the_model_layers(model: LanguageModel, tmp_path: Path) -> None:
    maxima = np.arange(1, 1 + N_LAYERS * D_MLP).reshape(N_LAYERS, D_MLP) / 50
    neurons = build(model, tmp_path, maxima=maxima).neurons
    expected = np.concatenate([maxima[0], maxima[2]]).astype(np.float32)
    np.testing.assert_array_equal(neurons["max_activation"], expected)


def test_two_builds_are_one_atlas_whatever_ran_before(
    model: LanguageModel, tmp_path: Path, whole: dict[str, str]
) -> None:
    torch.manual_seed(123)
    np.random.default_rng().random()
    build(model, tmp_path, contexts=Contexts(CONTEXTS.tokens.copy(), CONTEXTS.documents, "random-0", CONTEXTS.special))
    assert checksums(tmp_path) == whole


def test_a_layer_that_the_model_lacks_makes_no_folder(model: LanguageModel, tmp_path: Path) -> None:
    with pytest.raises(NbkitError, match="has no layer 3"):
        build(model, tmp_path / "atlas", config=AtlasConfig(layers=[3]))
    assert not (tmp_path / "atlas").exists()


def test_the_manifest_names_the_checkpoint_behind_a_known_name(model: LanguageModel, tmp_path: Path) -> None:
    assert build(model, tmp_path / "local").manifest.checkpoint == ""
    manifest = build(replace(model, name="smollm2-135m"), tmp_path / "known").manifest
    assert (manifest.model, manifest.checkpoint) == (
        "smollm2-135m",
        "SmolLM2-135M-Instruct, de-quantized from 4-bit Q4_1",
    )
    assert manifest.model_title == manifest.checkpoint
    assert json.loads((tmp_path / "known" / MANIFEST).read_text())["checkpoint"] == manifest.checkpoint
