"""Fixtures shared by all tests."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from filelock import FileLock
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.chromium import find_or_install_chromium

if TYPE_CHECKING:
    from nbkit.atlas.atlas import Atlas
    from nbkit.models import LanguageModel
    from nbkit.models.sign import Sign

# The same cases in every run, and none fails for the time it takes on a busy machine.
hypothesis.settings.register_profile("nbkit", derandomize=True, deadline=None)
hypothesis.settings.load_profile("nbkit")

# Read when torch and BLAS are first imported. Small products gain nothing from a second thread, and workers with
# one each don't wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

LONGEST = "test_pages.py"
"""The file of tests for which the whole book is built."""

BROWSER_FLAGS = (
    "--no-sandbox",  # containers run the tests as root
    "--disable-gpu",
    "--no-first-run",
    # the rest: the browser itself asks the network for nothing, so that every request seen comes from a page
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where workers share the tests, one begins with the longest file, so that none is left alone with it."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.path.name != LONGEST)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """An empty folder of this run that its workers have in common."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def chromium_path(shared_folder: Path) -> Path:
    """A Chromium or Chrome executable; installed if the machine has none."""
    with FileLock(shared_folder / "chromium.lock"):
        return find_or_install_chromium()


@pytest.fixture(scope="session")
def browser(chromium_path: Path) -> Iterator[Browser]:
    """A headless Chromium that makes no requests of its own."""
    expect.set_options(timeout=30_000)  # ms, as all else that waits: a busy machine can take more than the usual 5 s
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=list(BROWSER_FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def mini_book(shared_folder: Path) -> Path:
    """The pages of the small book, built by the worker that first asks for them: tests must not change them."""
    root = shared_folder / "mini"
    with FileLock(shared_folder / "mini.lock"):
        if not (root / "built").exists():
            shutil.rmtree(root, ignore_errors=True)  # left by a build that failed
            _build_mini_book(root)
            (root / "built").touch()
    return root / "_build" / "html"


def _build_mini_book(root: Path) -> None:
    from nbkit import assets
    from nbkit.book.build import build
    from tests.examples.mini_book import REPOSITORY, add_atlas, write_book

    add_atlas(write_book(root))
    frontend = assets.fetch("frontend")
    cache = root / "cache"  # for the atlas; what the usual one holds already need not come again
    cache.mkdir()
    (cache / frontend.name).symlink_to(frontend)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("NBKIT_CACHE", str(cache))
        build("quick", out=root / "_build", root=root)


@pytest.fixture(scope="session")
def axe() -> Path:
    """The script of axe-core."""
    from nbkit import assets
    from tests.browser.axe import AXE

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(assets.ASSETS, AXE.name, AXE)
        return assets.fetch(AXE.name)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the folder of the tiny model of an architecture."""
    from tests.examples.tiny_models import make_model

    return cache(lambda architecture: make_model(architecture, tmp_path_factory.mktemp("models") / architecture))


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Callable[[str], Path]) -> Callable[[str], LanguageModel]:
    """Gives the tiny model of an architecture, opened once: tests must not change it."""
    from nbkit.models import load_model

    return cache(lambda architecture: load_model(tiny_folder(architecture), dtype="float32", device="cpu"))


@pytest.fixture(scope="session")
def tiny_atlas(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[[str], LanguageModel]
) -> Callable[[str], Atlas]:
    """Gives an atlas of the tiny model of an architecture over random text, by the paper's embedding: tests must not
    change its files, only let more be made from it."""
    from nbkit.atlas.build import build_atlas
    from nbkit.atlas.config import AtlasConfig
    from tests.examples.tiny_models import random_contexts

    def build(architecture: str) -> Atlas:
        contexts = random_contexts(40, 32, last_special=architecture == "bert")
        folder, config = tmp_path_factory.mktemp("atlas"), AtlasConfig(embedding="paper")
        return build_atlas(tiny_model(architecture), contexts, folder, config, progress=False)

    return cache(build)


@pytest.fixture(scope="session")
def signed_atlas(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_model: Callable[[str], LanguageModel],
    tiny_atlas: Callable[[str], Atlas],
) -> Callable[[str, Sign], Atlas]:
    """Gives an atlas like `tiny_atlas`, of activations of a sign: likewise not to be changed."""
    from nbkit.atlas.build import build_atlas
    from nbkit.atlas.config import AtlasConfig
    from tests.examples.tiny_models import random_contexts

    def build(architecture: str, sign: Sign) -> Atlas:
        if sign == "positive":
            return tiny_atlas(architecture)
        contexts = random_contexts(40, 32, last_special=architecture == "bert")
        out = tmp_path_factory.mktemp(f"atlas-{sign}")
        config = AtlasConfig(embedding="paper", sign=sign)
        return build_atlas(tiny_model(architecture), contexts, out, config, progress=False)

    return cache(build)


@pytest.fixture(scope="session")
def pruned_atlas(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Callable[[str], Path]) -> Atlas:
    """An atlas of a tiny GPT-2 with neurons of zeros (see `prune`) over random text, by the paper's embedding, in which
    they have no direction: tests change no file of it."""
    from nbkit.atlas.build import build_atlas
    from nbkit.atlas.config import AtlasConfig
    from nbkit.models import load_model
    from tests.examples.tiny_models import prune, random_contexts

    model = load_model(tiny_folder("gpt2"), dtype="float32", device="cpu")
    prune(model)
    folder, config = tmp_path_factory.mktemp("pruned"), AtlasConfig(embedding="paper")
    return build_atlas(model, random_contexts(40, 32), folder, config, progress=False)


@pytest.fixture(scope="session")
def scripts_atlas(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    """An atlas of text in many scripts, most of whose characters are several tokens: tests must not change its files,
    only let more be made from it."""
    from nbkit.atlas.build import build_atlas
    from nbkit.corpora import load_contexts
    from nbkit.models import load_model
    from tests.examples.scripts import N_CTX, byte_level, make_scripts_model, write_scripts

    root = tmp_path_factory.mktemp("scripts")
    model = load_model(make_scripts_model(root / "model", byte_level()), dtype="float32", device="cpu")
    contexts = load_contexts(write_scripts(root / "scripts.txt"), model, length=N_CTX)
    return build_atlas(model, contexts, root / "atlas", progress=False)


@pytest.fixture
def own_atlas(tiny_atlas: Callable[[str], Atlas], tmp_path: Path) -> Callable[[str], Atlas]:
    """Gives a test its own copy of a tiny atlas, without what other tests have let be made from it."""
    from nbkit.atlas.atlas import open_atlas
    from nbkit.atlas.manifest import MANIFEST

    def copy(architecture: str) -> Atlas:
        source, target = tiny_atlas(architecture).path, tmp_path / architecture
        target.mkdir()
        for name in (MANIFEST, *json.loads((source / MANIFEST).read_text())["files"]):
            shutil.copyfile(source / name, target / name)
        return open_atlas(target)

    return copy


@pytest.fixture
def send_parcels(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets tasks from now on run here, packed and unpacked as on their way to another process: small parcels they must
    be."""

    def in_this_process(function: Any, tasks: Any, n_jobs: int, *_: Any) -> list[Any]:
        assert n_jobs == 1  # these atlases are not worth another process
        return [run(*task) for run, task in (parcel((function, task)) for task in tasks)]

    def parcel(task: Any) -> Any:
        packed = pickle.dumps(task)
        assert len(packed) < 3_000
        return pickle.loads(packed)

    return lambda: monkeypatch.setattr("nbkit.parallel.pool.in_processes", in_this_process)


@pytest.fixture(scope="session")
def gray_atlas(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    """An atlas of a convolution and a linear layer on labeled images: tests must not change its files, only let more be
    made from it."""
    from tests.examples import pictures

    return pictures.gray_atlas(tmp_path_factory.mktemp("pictures") / "atlas")
