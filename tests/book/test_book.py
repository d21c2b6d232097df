"""Building a book: profiles, execution, staging, and the faults that stop it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pytest

import nbkit
from nbkit.atlas.atlas import Atlas
from nbkit.atlas.manifest import MANIFEST
from nbkit.atlas.one_pass import AtlasPlan
from nbkit.book.build import build, explored_by, parameters_of, prepare
from nbkit.book.neuron_links import explored_in
from nbkit.book.notebooks import execute, parameter_names
from nbkit.book.profile import Profile, read_profile
from nbkit.book.unchanged import unchanged
from nbkit.errors import NbkitError
from nbkit.explorers import AtlasExplorer
from nbkit.explorers.atlas.shard_files import put_shards, site_folder
from nbkit.explorers.atlas.shards import AtlasShards
from nbkit.features.importance import kept_importance
from nbkit.features.showcase import featured
from nbkit.features.table import features_of
from tests.examples.hostile_text import fuse_tokens, write_corpora
from tests.examples.mini_book import Cell, write_book, write_notebook


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The small book with its first notebook only."""
    root = write_book(tmp_path)
    for name in ("explorer", "widgets"):
        (root / "book" / f"{name}.ipynb").unlink()
    (root / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n  - file: references\n", encoding="utf-8")
    return root


def test_an_unknown_profile_is_refused_with_those_that_exist(root: Path) -> None:
    (root / "book" / "profiles" / "paper.yaml").touch()
    with pytest.raises(NbkitError, match=r"no profile 'fast'. Choose one of: paper, quick\."):
        build("fast", root=root, out=root / "_build")
    assert not (root / "_build").exists()


def test_a_profile_with_another_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "quick.yaml").write_text("atlas: {}\nmodel: gpt2\n", encoding="utf-8")
    with pytest.raises(NbkitError, match="has the key 'model'"):
        read_profile("quick", tmp_path)


def test_a_notebook_gets_the_parameters_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "page.ipynb"
    source = 'model = "gpt2"  # which\nlayer: int = 3\nthreshold = 0.5\nmodel.upper()'
    write_notebook(path, [("code", "other = 1", []), ("code", source, ["parameters"])])
    assert parameter_names(path) == {"model", "layer", "threshold"}
    (tmp_path / "quick.yaml").write_text(
        "atlas: {model: smollm2-135m, corpus: brown, layer: 1}\nsae: {threshold: 0.2, n_seeds: 3}\n"
        "notebooks:\n  page: {layer: 7}\n",
        encoding="utf-8",
    )
    profile = read_profile("quick", tmp_path)
    assert parameters_of(path, profile) == {"model": "smollm2-135m", "layer": 7, "threshold": 0.2}


@pytest.mark.parametrize(
    ("profile", "complaint"),
    [
        ("notebooks:\n  index: {modle: gpt2}\n", "sets 'modle' for index.ipynb"),
        ("notebooks:\n  idnex: {model: gpt2}\n", "names the notebook 'idnex'. The book has: index"),
    ],
)
def test_a_profile_that_misspells_is_refused(root: Path, profile: str, complaint: str) -> None:
    (root / "book" / "profiles" / "quick.yaml").write_text(profile, encoding="utf-8")
    with pytest.raises(NbkitError, match=complaint):
        build("quick", root=root, out=root / "_build")
    assert not (root / "_build").exists()


def test_a_failing_notebook_is_named_with_its_cell_and_error_and_no_further_one_starts(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    cells: list[Cell] = [
        ("code", "print('before')", []),
        ("code", "raise KeyError('no such \\x1b[31mneuron')", []),
    ]
    for name in "abcde":
        write_notebook(tmp_path / f"{name}.ipynb", cells)
    with pytest.raises(
        NbkitError, match=r"^[a-e]\.ipynb failed in cell \[2\] with KeyError: 'no such .*neuron'"
    ) as error:
        execute({tmp_path / f"{name}.ipynb": {} for name in "abcde"}, out)
    failed = out / str(error.value).split()[0]
    assert str(failed) in str(error.value)
    assert "before" in failed.read_text(encoding="utf-8")
    assert len(list(out.glob("*.ipynb"))) < 5


def test_a_kernel_that_dies_is_a_sentence_too(tmp_path: Path) -> None:
    path, out = tmp_path / "dying.ipynb", tmp_path / "out"
    out.mkdir()
    write_notebook(path, [("code", "import os; os._exit(3)", [])])
    with pytest.raises(NbkitError, match=r"^dying\.ipynb failed: .*[Kk]ernel died"):
        execute({path: {}}, out)


def test_the_atlas_is_built_before_the_notebooks_and_warnings_are_errors(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []
    monkeypatch.setattr("nbkit.book.build.prepare", asked.append)
    (root / "book" / "profiles" / "quick.yaml").write_text("atlas: {model: gpt2, layers: [0, 1]}\n", encoding="utf-8")
    write_notebook(root / "book" / "index.ipynb", [("markdown", "# Start\n\n[nowhere](no-such-page.md)", [])])
    with pytest.raises(NbkitError, match="warnings are errors"):
        build("quick", root=root, out=root / "_build")
    [profile] = asked
    assert isinstance(profile, Profile) and profile.atlas == {"model": "gpt2", "layers": [0, 1]}
    assert "no-such-page" in capfd.readouterr().err


def test_the_notebook_that_takes_longest_begins_first(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("before", "ground-truth", "later"):
        write_notebook(root / "book" / f"{name}.ipynb", [("code", "n = 1", ["parameters"])])
    begun: list[str] = []
    monkeypatch.setattr("nbkit.book.build.execute", lambda notebooks, *_: begun.extend(each.stem for each in notebooks))
    monkeypatch.setattr("nbkit.book.build.write_neuron_links", lambda *_: None)
    monkeypatch.setattr("nbkit.book.build.make_pages", lambda *_: root)
    build("quick", root=root, out=root / "_build")
    assert begun == ["ground-truth", "before", "index", "later"]


def test_what_has_not_changed_is_not_executed_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, profile = root / "_build", root / "book" / "profiles" / "quick.yaml"
    moment = [("markdown", "# {}", []), ("code", "n = 1", ["parameters"]), ("code", "import time; time.time_ns()", [])]

    def write(name: str, *more: Cell) -> None:
        cells = [(kind, text.format(name), tags) for kind, text, tags in moment]
        write_notebook(root / "book" / f"{name}.ipynb", [*cells, *more])

    def executed() -> dict[str, str]:
        """When each notebook was."""
        build("quick", root=root, out=out)
        paths = sorted((out / "book").glob("*.ipynb"))
        return {path.stem: nbformat.read(path, as_version=4).cells[2].outputs[0].data["text/plain"] for path in paths}

    for name in ("index", "second"):
        write(name)
    toc = "format: jb-book\nroot: index\nchapters:\n  - file: second\n  - file: references\n"
    (root / "_toc.yml").write_text(toc, encoding="utf-8")
    profile.write_text("notebooks: {second: {n: 2}}\n", encoding="utf-8")
    first = executed()
    (out / "html" / "stale.html").touch()
    write("index", ("markdown", "More.", []))
    reworded = executed()
    assert reworded["index"] != first["index"] and reworded["second"] == first["second"]
    assert "More." in (out / "html" / "index.html").read_text(encoding="utf-8")
    assert not (out / "html" / "stale.html").exists()
    monkeypatch.setattr("nbkit.book.build.make_pages", lambda *_: out / "html")  # seen twice
    assert executed() == reworded
    profile.write_text("notebooks: {second: {n: 3}}\n", encoding="utf-8")
    given = executed()
    assert given["index"] == reworded["index"] and given["second"] != reworded["second"]
    (out / "book" / "second.ipynb").write_text("{", encoding="utf-8")
    assert executed()["second"] != given["second"]
    monkeypatch.setattr("nbkit.book.unchanged._environment", lambda: "another nbkit")
    assert not executed().items() & given.items()


@pytest.mark.parametrize("site", ["mnist", "mnist-embedding-centered"])
def test_a_notebook_is_made_of_what_it_names_and_needs_the_atlases_that_it_shows(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path / "cache"))
    page, out, shown = tmp_path / "page.ipynb", tmp_path / "out", tmp_path / "cache" / "atlases" / "mnist"
    own, model, text = tmp_path / "own", tmp_path / "model", tmp_path / "text.txt"
    names = "model = None\nsaes = None\natlas = None"
    write_notebook(page, [("code", names, ["parameters"]), ("code", "1", [f"_static/atlases/{site}/"])])
    for folder in (out, shown, own, model):
        folder.mkdir(parents=True)
    for file in (own / MANIFEST, model / "config.json", text):
        file.write_text("{}", encoding="utf-8")
    saes = {"blocks.1": ["text.txt", "", "brown", "long" * 99]}
    given: dict[Path, dict[str, object]] = {page: {"model": str(model), "saes": saes, "atlas": None}}
    execute(given, out, own)
    assert unchanged(given, out, own) == {}, "the explored atlas is not there"
    (shown / MANIFEST).touch()
    assert set(unchanged(given, out, own)) == {page}
    assert unchanged(given, out, None) == {}
    for file in (own / MANIFEST, model / "config.json", text):
        file.write_text("{ }", encoding="utf-8")
        assert unchanged(given, out, own) == {}, file
        execute(given, out, own)
        assert set(unchanged(given, out, own)) == {page}
    (model / "more.safetensors").touch()
    assert unchanged(given, out, own) == {}
    given[page]["atlas"] = str(own)
    execute(given, out, own)
    (own / "kept-table.parquet").touch()
    assert set(unchanged(given, out, own)) == {page}, "a table that is kept beside an atlas changes nothing"
    execute(given, out, shown)
    assert set(unchanged(given, out, shown)) == {page}, "the book's own need not be in the cache folder"


def test_a_page_carries_its_parameters_in_one_folded_cell(mini_book: Path) -> None:
    text, parameters, result = nbformat.read(mini_book.parent / "book" / "index.ipynb", as_version=4).cells
    assert text.cell_type == "markdown"
    assert parameters.source == (
        'model = "default model"\nthreshold = 0.5\n\n# set by the profile\nmodel = "the quick one"'
    )
    assert parameters.metadata.tags == ["parameters", "hide-input"]
    assert parameters.metadata.mystnb.code_prompt_show == "Parameters"
    assert result.metadata.tags == ["hide-input"] and result.metadata.mystnb.code_prompt_show == "Code"
    assert result.outputs[0].data["text/plain"] == "'the quick one'"


def test_what_is_published_names_no_path_of_this_machine(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    write_notebook(tmp_path / "page.ipynb", [("code", "a = 1", ["parameters"]), ("code", "type(a)", [])])
    write_notebook(tmp_path / "other.ipynb", [("code", "1 + 1", [])])
    given = {"a": {"model": str(tmp_path / "my model"), "texts": [str(tmp_path), "~/texts", "brown", "hf:a/b", 0.5]}}
    execute({tmp_path / "page.ipynb": given, tmp_path / "other.ipynb": {}}, out)
    for path in out.iterdir():
        assert str(tmp_path) not in path.read_text(encoding="utf-8")
    shown, _ = nbformat.read(out / "page.ipynb", as_version=4).cells
    expected = f'''a = {{"model": "my model", "texts": ["{tmp_path.name}", "texts", "brown", "hf:a/b", 0.5]}}'''
    assert shown.source == f"a = 1\n\n# set by the profile\n{expected}"


def test_the_folder_of_an_atlas_lies_in_the_books(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(profile: Profile) -> None:
        raise NbkitError(f"asked for {profile.atlas['atlas']}")

    monkeypatch.setattr("nbkit.book.build.prepare", stop)
    monkeypatch.setattr("nbkit.book.frontend.collect", lambda folder: None)
    for given, folder in (("my-atlas", root / "my-atlas"), ("/else/my-atlas", "/else/my-atlas")):
        (root / "book" / "profiles" / "quick.yaml").write_text(f"atlas: {{atlas: {given}}}\n", encoding="utf-8")
        with pytest.raises(NbkitError, match=f"asked for {folder}$"):
            build("quick", root=root, out=root / "_build")


def test_a_profile_is_checked_before_anything_is_made(root: Path) -> None:
    (root / "book" / "profiles" / "quick.yaml").write_text("atlas: {limit: many}\n", encoding="utf-8")
    with pytest.raises(NbkitError, match="The profile's atlas: limit is 'many', and must be a whole number"):
        build("quick", root=root, out=root / "_build")
    assert not (root / "_build").exists()


def test_an_atlas_is_made_ready_for_its_explorer_once(
    tmp_path: Path, tiny_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)  # with a GPU it would be all neurons
    model = tmp_path / "model"
    shutil.copytree(tiny_folder("llama"), model)
    fuse_tokens(model)
    corpus = write_corpora(tmp_path)["lines"]
    profile = Profile("small", atlas={"model": str(model), "corpus": str(corpus), "length": 32})
    atlas = prepare(profile)
    assert atlas is not None
    assert (atlas.manifest.embedding, atlas.as_built.manifest.embedding) == ("centered", "gradient")
    shown = {(choice.neuron.layer, choice.neuron.index) for by in (atlas, atlas.as_built) for choice in featured(by)}
    places = features_of(atlas)[["layer", "index", "medoid"]].itertuples(index=False, name=None)
    assert kept_importance(atlas).keys() == {place for place in places if place[:2] in shown}

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("the model was opened")

    monkeypatch.setattr("nbkit.book.build.model_of", opened)
    again = prepare(profile)
    assert again is not None and again.path == atlas.path
    made = {path.name for path in atlas.path.iterdir()}
    assert not made & {"features.parquet", "phrases.parquet", "similar-gradient.safetensors", "agreement.parquet"}
    assert {path.name for path in atlas.kept.folder.glob("similar-*")} == {
        "similar-centered.safetensors",
        "similar-gradient.safetensors",
    }
    (atlas.kept.folder / "importance.safetensors").unlink()
    with pytest.raises(AssertionError, match="the model was opened"):
        prepare(profile)


def test_neurons_that_are_not_there_are_left_to_be_scanned_with_the_latents(
    tmp_path: Path, tiny_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path / "cache"))
    request = {"model": str(tiny_folder("llama")), "corpus": str(write_corpora(tmp_path)["lines"]), "length": 32}
    asked: list[object] = []

    def stop(atlas: object, **latents: object) -> None:
        asked.append(atlas)
        raise KeyboardInterrupt

    monkeypatch.setattr("nbkit.book.build.with_latents", stop)
    profile = Profile("small", atlas=request, latents={"hooks": ["blocks.1.hook_resid_post"]})
    with pytest.raises(KeyboardInterrupt):
        prepare(profile)
    there = nbkit.atlas_for(**request)
    with pytest.raises(KeyboardInterrupt):
        prepare(profile)
    planned, found = asked
    assert isinstance(planned, AtlasPlan) and planned.folder == there.path
    assert isinstance(found, Atlas) and found.path == there.path


def test_an_atlas_that_a_page_explores_comes_from_the_cache_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path / "cache"))
    arrays = np.eye(4)
    atlas = nbkit.atlas_from_arrays(arrays, arrays, ["a", "b", "c", "d"], tmp_path / "cache" / "atlases" / "my units")
    own = nbkit.atlas_from_arrays(arrays, arrays, ["a", "b", "c", "d"], tmp_path / "own")
    pages = tmp_path / "pages"
    pages.mkdir()
    notebook = nbformat.v4.new_notebook(metadata={"widgets": {"state": {"site": AtlasExplorer(atlas).site}}})
    nbformat.write(notebook, pages / "one.ipynb")
    assert explored_in(pages / "one.ipynb") == {"my units"}
    assert [each.path for each in explored_by(pages, own)] == [own.path, atlas.path]
    assert [each.path for each in explored_by(pages, None)] == [atlas.path]
    paper = atlas.with_embedding("paper")
    notebook.metadata["widgets"]["state"]["other"] = AtlasExplorer(paper).site
    nbformat.write(notebook, pages / "one.ipynb")
    assert explored_in(pages / "one.ipynb") == {"my units", "my units-embedding-input"}
    for book in (atlas, paper):
        found = explored_by(pages, book)
        assert {(each.path, each.manifest.embedding) for each in found} == {
            (atlas.path, "centered"),
            (atlas.path, "input"),
        }
    for each in found:  # no files of the one are in the other's place
        put_shards(each, tmp_path / site_folder(each), progress=False)
        overview = (tmp_path / site_folder(each) / "overview.js").read_bytes()
        assert overview == (each.kept.folder / "shards" / "overview.js").read_bytes()
    (tmp_path / "cache").rename(tmp_path / "gone")
    with pytest.raises(NbkitError, match=r"no atlas in .*my units"):
        explored_by(pages, None)


def test_a_book_holds_its_atlas_as_harmless_files(mini_book: Path) -> None:
    [folder] = (mini_book / "_static" / "atlases").iterdir()
    [kept] = (mini_book.parents[1] / "cache" / "atlases").iterdir()
    assert folder.name == f"{kept.name}-embedding-centered"
    shown = nbkit.open_atlas(kept).with_embedding("auto")
    assert {path.stem for path in folder.iterdir()} == set(AtlasShards(shown).names())
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-16")
        assert "<" not in text and text.count("\n") == 1
    assert f"_static/atlases/{folder.name}/" in (mini_book / "atlas.html").read_text(encoding="utf-8")
