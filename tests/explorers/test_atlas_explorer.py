"""The atlas explorer's Python side: what it shows first, what it answers, what it refuses; and its files."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

import nbkit
from nbkit.atlas.atlas import Atlas
from nbkit.atlas.build import build_atlas
from nbkit.errors import NbkitError
from nbkit.explorers import AtlasExplorer
from nbkit.explorers.atlas.shard_files import put_shards, write_shards
from nbkit.explorers.atlas.shards import AtlasShards
from nbkit.explorers.shared.bundle import EXPLORERS_FOLDER
from nbkit.explorers.shared.data_script import as_characters
from nbkit.features.importance import IMPORTANCE, keep_importance, token_importance
from nbkit.features.own_text import read_own_text
from nbkit.features.phrases import PHRASES
from nbkit.features.table import FEATURES_FILE
from nbkit.models import LanguageModel
from nbkit.models.sign import Sign, strength
from tests.browser import page_checks as checks
from tests.browser.node import run_module
from tests.examples.tiny_models import random_contexts


class Asked:
    """An explorer, and what it answers to a browser."""

    def __init__(self, explorer: AtlasExplorer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.explorer = explorer
        self.answers: list[tuple[dict[str, Any], list[bytes]]] = []
        monkeypatch.setattr(explorer, "send", lambda content, buffers=None: self.answers.append((content, buffers)))

    def ask(self, content: object) -> tuple[dict[str, Any], list[bytes]]:
        """The one answer to a message."""
        self.explorer._handle_custom_msg(content, [])
        [answer] = self.answers
        self.answers.clear()
        return answer


@pytest.fixture
def own_atlas(tmp_path: Path, tiny_model: Callable[[str], LanguageModel]) -> Atlas:
    """An atlas whose files a test may change."""
    return build_atlas(tiny_model("llama"), random_contexts(12, 32), tmp_path / "my atlas #1", progress=False)


def test_a_browser_gets_the_shards_that_it_asks_for(
    tiny_atlas: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch
) -> None:
    atlas = tiny_atlas("llama")
    asked = Asked(AtlasExplorer(atlas), monkeypatch)
    for name in ("overview", "vocabulary", "neurons-00002", "similar-00002", "phrases-00000"):
        answer, [packed] = asked.ask({"kind": "shard", "name": name})
        layout, same = AtlasShards(atlas).shard(name)
        assert (answer, packed) == ({"kind": "shard", "name": name, "layout": layout}, same)
        json.dumps(answer)


def test_what_can_not_be_answered_is_told_in_a_sentence(
    tiny_atlas: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch
) -> None:
    explorer = AtlasExplorer(tiny_atlas("llama"))
    asked = Asked(explorer, monkeypatch)
    for name in ("neurons-99999", None, ["overview"], "<b>"):
        answer, buffers = asked.ask({"kind": "shard", "name": name})
        assert answer["name"] == name and "no part" in answer["error"] and buffers == []
    answer, _ = asked.ask({"kind": "importance", "row": 0, "examples": [0]})
    assert answer == {"kind": "importance", "row": 0, "examples": [0], "error": answer["error"]}
    assert "give `model` to nbkit.explore" in answer["error"]

    monkeypatch.setattr(explorer._shards, "shard", lambda _: 1 / 0)
    answer, _ = asked.ask({"kind": "shard", "name": "overview"})
    assert answer["error"] == "the kernel failed with ZeroDivisionError: division by zero"
    for odd in ({"kind": "other"}, {}, [], "shard"):
        explorer._handle_custom_msg(odd, [])
    assert asked.answers == []


def test_token_importance_is_computed_when_the_model_is_at_hand(
    tiny_atlas: Callable[[str], Atlas], tiny_model: Callable[[str], LanguageModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    atlas, model = tiny_atlas("llama"), tiny_model("llama")
    explorer = AtlasExplorer(atlas, model)
    assert explorer.has_model and not AtlasExplorer(atlas).has_model
    asked = Asked(explorer, monkeypatch)
    row = int(atlas.neurons["n_examples"].to_numpy()[40:].argmax()) + 40
    answer, _ = asked.ask({"kind": "importance", "row": row, "examples": [2, 0]})
    exact = token_importance(model, atlas, 1 + (row - 40) // 40, row % 40, [2, 0])
    assert json.loads(json.dumps(answer)) == answer
    for values, expected in zip(answer["values"], exact, strict=True):
        assert np.allclose(values, expected, atol=0.001)
    answer, _ = asked.ask({"kind": "importance", "row": row, "examples": [100_000]})
    assert "has no example 100000" in answer["error"]


def test_a_text_of_the_readers_own_is_read_when_the_model_is_at_hand(
    tiny_atlas: Callable[[str], Atlas], tiny_model: Callable[[str], LanguageModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    atlas, model = tiny_atlas("llama"), tiny_model("llama")
    asked = Asked(AtlasExplorer(atlas, model), monkeypatch)
    question = {"kind": "text", "name": "43 a river", "row": 43, "text": "a river"}
    answer, _ = asked.ask(question)
    exact = read_own_text(model, atlas, 1, 3, "a river")
    assert json.loads(json.dumps(answer)) == answer and answer["tokens"].isascii()
    assert json.loads(answer["tokens"]) == list(exact.tokens)
    assert np.allclose(answer["activations"], exact.activations, atol=1e-4)
    assert exact.distances is not None and np.allclose(answer["distances"], exact.distances, atol=1e-5)
    assert (answer["peak"], answer["share"]) == (exact.peak, exact.of_maximum)
    answer, _ = asked.ask({**question, "text": "x" * 99})
    assert "at most 32" in answer["error"]
    answer, _ = Asked(AtlasExplorer(atlas), monkeypatch).ask(question)
    assert "give `model` to nbkit.explore" in answer["error"]


@pytest.mark.parametrize("sign", ["negative", "both"])
def test_a_kernel_answers_for_the_side_that_is_looked_for(
    sign: Sign,
    signed_atlas: Callable[[str, Sign], Atlas],
    tiny_model: Callable[[str], LanguageModel],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    atlas, model = signed_atlas("llama", sign), tiny_model("llama")
    neuron = next(n for n in atlas.iterate(1) if len(n) and (n.peak < 0).any())
    asked = Asked(AtlasExplorer(atlas, model), monkeypatch)
    row = int(atlas.starts[atlas.layers.index(1)]) + neuron.index
    for text in ("a river", "the bank", "!x 7"):
        answer, _ = asked.ask({"kind": "text", "name": text, "row": row, "text": text})
        strengths = [strength(value, sign) for value in answer["activations"]]
        assert strengths[answer["peak"]] == max(strengths[1:])
        assert answer["share"] == pytest.approx(strengths[answer["peak"]] / neuron.max_activation, rel=1e-3)
        gate, up = (side == "+" for side in (answer["quadrant"][4], answer["quadrant"][-1]))
        assert (answer["activations"][answer["peak"]] > 0) == (gate == up)
    below = int((neuron.peak < 0).argmax())
    answer, _ = asked.ask({"kind": "importance", "row": row, "examples": [below]})
    [values] = answer["values"]
    assert max(values) == 1 and min(values) >= 0


def test_the_neuron_and_the_cut_are_traits_that_follow_and_refuse(own_atlas: Atlas) -> None:
    explorer = AtlasExplorer(own_atlas, layer=2, neuron=7, threshold=0.3)
    assert (explorer.layer, explorer.neuron, explorer.threshold) == (2, 7, 0.3)
    assert explorer.site == "_static/atlases/my%20atlas%20%231/"
    with explorer.hold_trait_notifications():
        explorer.layer, explorer.neuron = 0, 39
    for name, value, complaint in (("layer", 3, "no layer 3"), ("neuron", 40, "no neuron 40"), ("threshold", 0, "cut")):
        with pytest.raises(NbkitError, match=complaint):
            setattr(explorer, name, value)
    assert (explorer.layer, explorer.neuron, explorer.threshold) == (0, 39, 0.3)
    untouched = AtlasExplorer(own_atlas)
    assert (untouched.layer, untouched.neuron) == (-1, -1)
    with pytest.raises(NbkitError, match="both"):
        AtlasExplorer(own_atlas, neuron=3)


def test_a_latent_is_one_of_its_own_site(latents_atlas: Atlas) -> None:
    for layer, latent in ((0, 19), (1, 8)):
        explorer = AtlasExplorer(latents_atlas, layer=layer, neuron=latent)
        assert (explorer.layer, explorer.neuron) == (layer, latent)
    for layer, latent in ((0, 20), (1, 9)):
        with pytest.raises(NbkitError, match=f"no latent {latent}"):
            AtlasExplorer(latents_atlas, layer=layer, neuron=latent)
    with explorer.hold_trait_notifications():
        explorer.layer, explorer.neuron = 0, 19
    with pytest.raises(NbkitError, match="no latent 20"):
        explorer.neuron = 20


def test_explore_makes_what_an_atlas_lacks(own_atlas: Atlas, tiny_model: Callable[[str], LanguageModel]) -> None:
    kinds = [own_atlas.path / f"similar-{kind}.safetensors" for kind in ("centered", "gradient")]
    made = [own_atlas.path / FEATURES_FILE, own_atlas.path / PHRASES, *kinds]
    assert not [path for path in made if path.exists()]
    with pytest.raises(NbkitError, match="another model"):
        nbkit.explore(own_atlas, tiny_model("gpt2"))
    assert not [path for path in made if path.exists()]
    explorer = nbkit.explore(own_atlas, tiny_model("llama"), layer=1, neuron=2)
    assert isinstance(explorer, AtlasExplorer) and explorer.neuron == 2
    assert all(path.is_file() for path in made)


def test_explore_refuses_what_it_has_no_explorer_of(own_atlas: Atlas) -> None:
    for thing in ("atlas", own_atlas.path, None):
        with pytest.raises(NbkitError, match="give an Atlas or a SaeReport"):
            nbkit.explore(thing)  # type: ignore[arg-type]
    with pytest.raises(NbkitError, match="no neuron 99"):
        nbkit.explore(own_atlas, layer=0, neuron=99)


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def arguments_in(script: str) -> list[Any]:
    """What the script of a file calls `nbkitShard` with."""
    arguments: list[Any] = json.loads(f"[{script.removeprefix('nbkitShard(').removesuffix(');' + chr(10))}]")
    return arguments


def test_a_file_holds_its_shard_and_nothing_that_a_page_could_take_for_markup(own_atlas: Atlas) -> None:
    files = contents(write_shards(own_atlas, progress=False))
    shards = AtlasShards(own_atlas)
    assert {f"{name}.js" for name in shards.names()} | {"made-from.json"} == files.keys()
    for name in shards.names():
        text = files[f"{name}.js"].decode("utf-16")
        assert text.startswith("nbkitShard(") and text.endswith(");\n") and text.count("\n") == 1 and "<" not in text
        given, (n_head, n_packed), characters = arguments_in(text)
        assert all(0x3400 <= ord(char) < 0x3400 + (1 << 15) for char in characters)
        layout, packed = shards.shard(name)
        head = zlib.compress(json.dumps(layout, separators=(",", ":")).encode(), level=9)
        assert (given, n_head, n_packed) == (name, len(head), len(packed))
        assert characters == as_characters(head + packed)


def test_the_browser_reads_the_bytes_that_a_file_holds() -> None:
    rng = np.random.default_rng(0)
    parts = [rng.bytes(n) for n in (*range(40), 1000)] + [bytes(15), b"\xff" * 15]
    script = (EXPLORERS_FOLDER / "shared/packing.js").read_text(encoding="utf-8") + (
        f"const parts = {json.dumps([[len(part), as_characters(part)] for part in parts])};"
        "console.log(JSON.stringify(parts.map(([length, text]) => [...bytesOf(text, length)])));"
    )
    assert json.loads(run_module(script)) == [list(part) for part in parts]
    assert len(as_characters(bytes(15))) == 8


def test_the_browser_opens_a_file_s_arrays(tiny_atlas: Callable[[str], Atlas]) -> None:
    layout, packed = AtlasShards(tiny_atlas("gpt2")).shard("neurons-00001")
    head = zlib.compress(json.dumps(layout).encode())
    script = (EXPLORERS_FOLDER / "shared/packing.js").read_text(encoding="utf-8") + (
        f"const found = await fromText([{len(head)}, {len(packed)}], {json.dumps(as_characters(head + packed))});"
        "console.log(JSON.stringify([found.layout, [...found.packed]]));"
    )
    assert json.loads(run_module(script)) == [json.loads(json.dumps(layout)), list(packed)]


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", None])
def test_a_browser_reads_the_files_whatever_their_server_says(
    browser: Browser, own_atlas: Atlas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, charset: str | None
) -> None:
    site = tmp_path / "site"
    put_shards(own_atlas, site, progress=False)
    page_text = """<!doctype html><meta charset="utf-8"><script>
        const got = []; const nbkitShard = (...all) => got.push(all)</script><script src="overview.js"></script>"""
    (site / "page.html").write_text(page_text, encoding="utf-8")
    kind = "text/javascript" + (f"; charset={charset}" if charset else "")
    monkeypatch.setitem(SimpleHTTPRequestHandler.extensions_map, ".js", kind)
    with checks.served(site) as address:
        page = browser.new_page()
        page.goto((address if charset else site.as_uri() + "/") + "page.html")
        got = page.evaluate("got")
        page.close()
    assert got == [arguments_in((site / "overview.js").read_text(encoding="utf-16"))]


def test_files_are_made_once_and_again_when_what_they_are_made_from_has_changed(
    own_atlas: Atlas, tiny_model: Callable[[str], LanguageModel]
) -> None:
    folder = write_shards(own_atlas, progress=False)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    own_atlas.metrics("up", progress=False)  # no part of what is shown
    assert write_shards(own_atlas, progress=False) == folder
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before

    row = int(own_atlas.neurons["n_examples"].argmax())
    keep_importance(tiny_model("llama"), own_atlas, [(row // 40, row % 40)], progress=False)
    assert (own_atlas.path / IMPORTANCE).is_file()
    old = contents(folder)
    new = contents(write_shards(own_atlas, progress=False))
    changed = {name for name in old if old[name] != new[name]}
    assert changed == {"made-from.json", f"neurons-{row // 16:05d}.js"}


def test_files_of_another_embedding_do_not_hang_on_tables_of_the_first(own_atlas: Atlas) -> None:
    centered = own_atlas.with_embedding("auto")
    folder = write_shards(centered, progress=False)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    write_shards(own_atlas, progress=False)
    write_shards(centered, progress=False)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_files_are_whole_or_not_there(own_atlas: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = contents(write_shards(own_atlas, progress=False))
    (own_atlas.path / PHRASES).touch()  # as if it had been made again
    make = AtlasShards.shard

    def stops(self: AtlasShards, name: str) -> Any:
        if name == "neurons-00003":
            raise KeyboardInterrupt
        return make(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(AtlasShards, "shard", stops)
        with pytest.raises(KeyboardInterrupt):
            write_shards(own_atlas, progress=False)
    assert contents(own_atlas.path / "shards") == whole
    leftover = own_atlas.path / ".shards.tmp"
    assert not leftover.exists()
    leftover.mkdir()  # as a killed process leaves it
    (leftover / "neurons-77777.js").touch()
    again = contents(write_shards(own_atlas, progress=False))
    assert again.keys() == whole.keys() and not leftover.exists()


def test_many_processes_write_what_one_does(own_atlas: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = contents(write_shards(own_atlas, progress=False))
    (own_atlas.path / PHRASES).touch()
    monkeypatch.setattr("nbkit.parallel.pool.FEW_NEURONS", 0)
    monkeypatch.setattr("nbkit.explorers.atlas.shard_files.SHARDS_A_TASK", 5)
    together = contents(write_shards(own_atlas, progress=False))
    assert {name: text for name, text in alone.items() if name.endswith(".js")} == {
        name: text for name, text in together.items() if name.endswith(".js")
    }


def test_a_book_gets_the_files_by_links_or_as_copies(
    own_atlas: Atlas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise OSError("no links here")

    put_shards(own_atlas, tmp_path / "linked" / "atlases", progress=False)
    monkeypatch.setattr("os.link", refuses)
    put_shards(own_atlas, tmp_path / "copied", progress=False)
    made = contents(own_atlas.path / "shards")
    made.pop("made-from.json")
    assert contents(tmp_path / "linked" / "atlases") == made == contents(tmp_path / "copied")


def test_a_full_disk_is_a_sentence(own_atlas: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(NbkitError, match=r"can't write the shards of .* \(.*No space left"):
        write_shards(own_atlas, progress=False)
