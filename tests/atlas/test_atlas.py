"""What an atlas gives back, and what it refuses to open."""

from __future__ import annotations

import ast
import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tokenizers import Tokenizer, models
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from nbkit import files
from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.manifest import ATLAS_SCHEMA, CONTEXTS, MANIFEST, NEURONS, VOCABULARY, layer_file
from nbkit.atlas.neuron import InputWeights
from nbkit.atlas.snippets import TOKENS_AFTER, TOKENS_BEFORE
from nbkit.errors import NbkitError
from nbkit.features.neighbors import neighbors_of
from nbkit.features.table import features_of
from nbkit.files import read_json, write_json
from nbkit.method.controls import other_units
from nbkit.models import LanguageModel, activation_function, load_model
from tests.examples import tiny_models
from tests.examples.tiny_models import D_MLP, D_MODEL, N_LAYERS, SPECIAL, random_contexts
from tests.examples.tiny_models import VOCABULARY as WORDS

PACKAGE = Path(__file__).parents[2] / "nbkit"
ARCHITECTURES = ("gpt2", "bert", "llama")


@pytest.fixture
def copy(tiny_atlas: Callable[[str], Atlas], tmp_path: Path) -> Path:
    """A folder with an atlas, to be damaged."""
    return shutil.copytree(tiny_atlas("gpt2").path, tmp_path / "copy")


def full(atlas: Atlas, layer: int) -> tuple[int, int]:
    """The neuron of a layer with the most examples."""
    return layer, max(range(D_MLP), key=lambda index: len(atlas.neuron(layer, index)))


# Opening


def test_a_folder_without_an_atlas_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NbkitError, match=r"no atlas in .*: build one first"):
            open_atlas(folder)
    (tmp_path / "file").write_text("text")
    with pytest.raises(NbkitError, match=r"no atlas in .*file: build one first"):
        open_atlas(tmp_path / "file")


def test_an_unfinished_atlas_is_refused(copy: Path) -> None:
    (copy / MANIFEST).unlink()
    (copy / "scan").mkdir()
    with pytest.raises(NbkitError, match="its scan was interrupted: run the same build again to finish it"):
        open_atlas(copy)


@pytest.mark.parametrize("length", [0, 1, 300])
def test_a_half_written_manifest_is_refused(length: int, copy: Path) -> None:
    (copy / MANIFEST).write_text((copy / MANIFEST).read_text()[:length])
    with pytest.raises(NbkitError, match=r"atlas.json is not an atlas's manifest, or not as it was written: choose "):
        open_atlas(copy)


@pytest.mark.parametrize(
    "text", ["[]", "{}", "7", "null", '"atlas"', "\x00", f'{{"schema": {ATLAS_SCHEMA}}}', '{"name": "a package"}']
)
def test_a_foreign_manifest_is_refused(text: str, copy: Path) -> None:
    (copy / MANIFEST).write_text(text)
    with pytest.raises(NbkitError, match="is not an atlas's manifest"):
        open_atlas(copy)


@pytest.mark.parametrize(
    "damaged",
    [{"files": 3}, {"files": "many"}, {"files": ["a"]}, {"sites": 5}, {"sites": None}, {"sites": [{"number": 0}]}],
)
def test_a_manifest_with_a_wrong_value_is_refused(damaged: dict[str, object], copy: Path) -> None:
    (copy / MANIFEST).write_text(json.dumps(json.loads((copy / MANIFEST).read_text()) | damaged))
    with pytest.raises(NbkitError, match="is not an atlas's manifest"):
        open_atlas(copy)


@pytest.mark.parametrize("name", ["model", "sites", "threshold", "versions", "files"])
def test_a_manifest_that_lacks_a_field_is_refused(name: str, copy: Path) -> None:
    values = json.loads((copy / MANIFEST).read_text())
    del values[name]
    (copy / MANIFEST).write_text(json.dumps(values))
    with pytest.raises(NbkitError, match="is not an atlas's manifest"):
        open_atlas(copy)


@pytest.mark.parametrize("schema", [1, 99])
def test_another_schema_is_refused(schema: int, copy: Path) -> None:
    values = read_json(copy / MANIFEST)
    (copy / MANIFEST).write_text(json.dumps(values | {"schema": schema}))  # as the older ones were: without a seal
    with pytest.raises(NbkitError, match=f"has schema {schema}, this nbkit reads {ATLAS_SCHEMA}: build it again"):
        open_atlas(copy)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_atlas_of_the_schema_before_is_read(
    architecture: str, tiny_atlas: Callable[[str], Atlas], tmp_path: Path
) -> None:
    atlas = tiny_atlas(architecture)
    folder = shutil.copytree(atlas.path, tmp_path / "copy")
    values = read_json(folder / MANIFEST)
    gated = architecture == "llama"
    older = {"layers": [0, 1, 2], "n_layers": N_LAYERS, "d_model": D_MODEL, "d_mlp": D_MLP, "gated": gated}
    older |= {"activation": atlas.manifest.sites[0].activation, "schema": 4}
    kept = {name: value for name, value in values.items() if name not in ("sites", "n_sites", "seal")}
    write_json(kept | older, folder / MANIFEST)
    assert open_atlas(folder).manifest == atlas.manifest
    assert open_atlas(folder).neuron(2, 3).name == "L2 N3"


FILES = [CONTEXTS, VOCABULARY, NEURONS, layer_file(0), layer_file(1), layer_file(2)]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_truncated_file_is_named(name: str, copy: Path) -> None:
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[:-1])
    with pytest.raises(NbkitError, match=rf"damaged: {name} is {len(whole) - 1} bytes long instead of {len(whole)};"):
        open_atlas(copy)
    (copy / name).unlink()
    with pytest.raises(NbkitError, match=rf"damaged: {name} is missing; delete the folder and build it again"):
        open_atlas(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_file_overwritten_with_something_of_its_size_is_named(name: str, copy: Path) -> None:
    (copy / name).write_bytes(b"\x00" * (copy / name).stat().st_size)

    def read_all() -> None:
        atlas = open_atlas(copy)
        for layer in atlas.layers:
            _ = atlas.neurons, atlas.neuron(layer, 0).snippets, atlas.words

    with pytest.raises(NbkitError, match=rf"{name} can't be read .*: delete it and make it again"):
        read_all()


# What is in it


def test_every_file_is_a_known_format_with_a_schema(tiny_atlas: Callable[[str], Atlas]) -> None:
    for path in tiny_atlas("llama").path.iterdir():
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                assert file.metadata().keys() == {"nbkit_schema", "seal"}
                assert file.metadata()["nbkit_schema"] == str(files.FILE_SCHEMA)
        elif path.suffix == ".parquet":
            assert pd.read_parquet(path).attrs == {"nbkit_schema": files.FILE_SCHEMA}
        elif path.suffix == ".json":
            assert json.loads(path.read_text())["schema"] == ATLAS_SCHEMA
        else:
            assert path.name == ".lock"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_neuron_is_what_the_scan_found(architecture: str, tiny_atlas: Callable[[str], Atlas]) -> None:
    atlas = open_atlas(tiny_atlas(architecture).path)
    assert len(atlas.neurons) == N_LAYERS * D_MLP
    for layer in atlas.layers:
        tensors = load_file(atlas.path / layer_file(layer))
        for index, neuron in enumerate(atlas.iterate(layer)):
            start = int(tensors["offsets"][index])
            rows = slice(start, start + int(tensors["n_examples"][index]))
            assert (neuron.layer, neuron.index, len(neuron)) == (layer, index, rows.stop - rows.start)
            examples = neuron.examples
            assert list(examples) == ["context", "position", "activation"]
            for name in ("context", "position", "activation"):
                np.testing.assert_array_equal(examples[name], tensors[name][rows])
            assert examples["context"].is_monotonic_increasing and examples["context"].is_unique
            assert (examples["activation"] > 0).all()
            assert (examples["activation"] >= np.float32(0.75) * np.float32(neuron.max_activation)).all()
            np.testing.assert_array_equal(neuron.pre_mlp, tensors["pre_mlp"][tensors["vector"][rows].long()])
            assert neuron.pre_mlp.shape == (len(neuron), D_MODEL) and neuron.pre_mlp.dtype == np.float32
            np.testing.assert_array_equal(neuron.w_in, tensors["w_in"][index])
            assert (neuron.w_gate is None) == (architecture != "llama")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_embeddings_are_the_equations(architecture: str, tiny_atlas: Callable[[str], Atlas]) -> None:
    atlas = tiny_atlas(architecture)
    tensors = load_file(atlas.path / layer_file(1))
    other = other_units(D_MLP, atlas.manifest.seed)
    act_fn = activation_function(atlas.manifest.site(1).activation)

    def gradient(h: Tensor, index: int) -> Tensor:
        """h times the gradient of the activation with respect to it, by autograd through the whole neuron."""
        x = h.clone().requires_grad_(True)
        pre = x @ tensors["w_in"][index] + tensors["b_in"][index]
        if "w_gate" in tensors:
            activation = act_fn(x @ tensors["w_gate"][index] + tensors["b_gate"][index]) * pre
        else:
            activation = act_fn(pre)
        (slope,) = torch.autograd.grad(activation.sum(), x)
        return h * slope

    for index in (0, 7, full(atlas, 1)[1]):
        neuron = atlas.neuron(1, index)
        h, donor = torch.from_numpy(neuron.pre_mlp.copy()), int(other[index])
        mean = tensors["pre_mlp"].double().mean(0).float()
        expected = {"pre_mlp": h, "gradient": gradient(h, index), "centered": h - mean}
        if architecture == "llama":
            expected |= {"up": h * tensors["w_in"][index], "gate": h * tensors["w_gate"][index]}
            expected |= {"shuffled": gradient(h, donor)}
        else:
            expected |= {"input": h * tensors["w_in"][index], "shuffled": h * tensors["w_in"][donor]}
        assert set(neuron.kinds) == set(expected)
        for kind, values in expected.items():
            np.testing.assert_allclose(neuron.embeddings(kind), values, rtol=1e-4, atol=1e-5, err_msg=kind)
        default = "gradient" if architecture == "llama" else "input"
        assert atlas.manifest.embedding == default
        np.testing.assert_array_equal(neuron.embeddings(), neuron.embeddings(default))
        for wrong in {"input", "gate", "up", "sum"} - set(expected):
            with pytest.raises(NbkitError, match=f"L1 N{index} has no '{wrong}' embedding: choose"):
                neuron.embeddings(wrong)


def test_on_the_whole_a_gated_neuron_reads_with_its_mean_gradient_and_a_plain_one_with_its_weights() -> None:
    rng = np.random.default_rng(0)
    read = rng.normal(size=(5, 4)).astype(np.float32)
    gate, up = rng.normal(size=(2, 4)).astype(np.float32)
    assert InputWeights(up, 0.5).on_the_whole(read, "relu") is up
    h = torch.from_numpy(read).requires_grad_()
    total = torch.nn.functional.silu(h @ torch.from_numpy(gate) - 0.2) * (h @ torch.from_numpy(up) + 0.5)
    (gradient,) = torch.autograd.grad(total.sum(), h)
    weights = InputWeights(up, 0.5, gate, -0.2).on_the_whole(read, "silu")
    np.testing.assert_allclose(weights, gradient.mean(dim=0).numpy(), rtol=1e-5)


def test_clusters_are_those_of_the_embeddings(tiny_atlas: Callable[[str], Atlas]) -> None:
    from nbkit.method.clusters import feature_clusters

    neuron = tiny_atlas("gpt2").neuron(*full(tiny_atlas("gpt2"), 2))
    clusters = neuron.clusters(0.3, "pre_mlp", "complete")
    expected = feature_clusters(neuron.pre_mlp, 0.3, "complete")
    np.testing.assert_array_equal(clusters.labels, expected.labels)
    np.testing.assert_array_equal(clusters.linkage, expected.linkage)
    for threshold in (0.0, 1.5):
        with pytest.raises(NbkitError, match=r"choose one in \(0, 1\]"):
            neuron.clusters(threshold)


def test_a_layer_of_one_neuron_has_all_but_the_shuffled_control(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tiny_models, "D_MLP", 1)
    model = load_model(tiny_models.make_model("gpt2", tmp_path / "model"), dtype="float32", device="cpu")
    atlas = build_atlas(model, random_contexts(40, 16), tmp_path / "atlas", progress=False)
    neuron = max((atlas.neuron(layer, 0) for layer in atlas.layers), key=len)
    assert neuron.donor is None and len(neuron) > 1
    for refused in (neuron.embeddings, atlas.metrics):
        with pytest.raises(NbkitError, match=r"no 'shuffled' embedding: choose input, gradient, centered, pre_mlp$"):
            refused("shuffled")
    for kind in neuron.kinds:
        assert len(neuron.clusters(kind=kind).labels) == len(neuron)
        assert len(atlas.metrics(kind, progress=False)) == N_LAYERS


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_snippets_are_the_text_and_the_activations_around_the_key_token(
    architecture: str, tiny_atlas: Callable[[str], Atlas], tiny_model: Callable[[str], LanguageModel]
) -> None:
    atlas, activations = tiny_atlas(architecture), []
    with tiny_model(architecture).captured([0], lambda *args: activations.append(args[2].clone())) as run:
        run(torch.tensor(atlas.tokens))
    neuron = atlas.neuron(*full(atlas, 0))
    assert len(neuron.snippets) == len(neuron) > 3
    starts, stops = set(), set()
    for snippet, (context, position, peak) in zip(neuron.snippets, neuron.examples.to_numpy(), strict=True):
        context, position = int(context), int(position)
        first, end = max(0, position - TOKENS_BEFORE), min(32, position + TOKENS_AFTER + 1)
        assert (snippet.context, snippet.position, snippet.key) == (context, position, position - first)
        ids = atlas.tokens[context, first:end]
        assert [text.strip() for text in snippet.tokens] == [WORDS[i].replace("\n", "↵").strip() for i in ids]
        assert snippet.tokens == tuple(atlas.token_strings(ids))
        np.testing.assert_allclose(
            snippet.activations, activations[0][context, first:end, neuron.index], rtol=1e-4, atol=1e-5
        )
        assert snippet.activations[snippet.key] == peak
        assert neuron.key_ids[neuron.snippets.index(snippet)] == atlas.tokens[context, position]
        starts.add(first > 0)
        stops.add(end < 32)
    assert starts == stops == {True, False}  # windows cut at either end of the context, and whole ones


def test_neurons_without_examples_say_so(tiny_model: Callable[[str], LanguageModel], tmp_path: Path) -> None:
    out_of_reach = np.full((N_LAYERS, D_MLP), 1e6)
    atlas = build_atlas(
        tiny_model("gpt2"), random_contexts(6, 16), tmp_path, AtlasConfig(layers=[1]), out_of_reach, progress=False
    )
    neuron = atlas.neuron(1, 4)
    assert (len(neuron), neuron.snippets, len(neuron.examples)) == (0, [], 0)
    assert neuron.embeddings().shape == neuron.embeddings("gradient").shape == (0, D_MODEL)
    with pytest.raises(NbkitError, match=r"L1 N4 has no dataset examples: it was never active .* out of its reach"):
        neuron.clusters()
    assert (atlas.neurons["n_examples"] == 0).all() and atlas.neurons["silhouette"].isna().all()
    assert str(neuron) == "Neuron(L1 N4, 0 examples, max 1e+06)"


@pytest.mark.parametrize(
    ("layer", "index", "message"),
    [
        (3, 0, "has no layer 3: it holds layers 0 to 2"),
        (-1, 0, "has no layer -1"),
        (0, 40, "layer 0 has no neuron 40: its neurons are 0 to 39"),
        (0, -1, "layer 0 has no neuron -1"),
    ],
)
def test_a_neuron_that_is_not_there_is_refused(
    layer: int, index: int, message: str, tiny_atlas: Callable[[str], Atlas]
) -> None:
    with pytest.raises(NbkitError, match=message):
        tiny_atlas("gpt2").neuron(layer, index)


@pytest.mark.parametrize(("layers", "text"), [((0, 2), "layers 0, 2"), ((1,), "layer 1"), ((0, 1), "layers 0, 1")])
def test_the_layers_that_there_are_are_told(
    layers: tuple[int, ...], text: str, tiny_atlas: Callable[[str], Atlas]
) -> None:
    atlas = tiny_atlas("gpt2")
    part = Atlas(atlas.path, replace(atlas.manifest, sites=tuple(map(atlas.manifest.site, layers))))
    with pytest.raises(NbkitError, match=f"no layer 9: it holds {text}$"):
        part.neuron(9, 0)


def test_hostile_text_stays_data(tiny_model: Callable[[str], LanguageModel], tmp_path: Path) -> None:
    hostile = {
        "<script>alert(1)</script>": "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>": "<img src=x onerror=alert(1)>",
        "&lt;": "&lt;",
        "a\u202eb": "a⟨U+202E⟩b",
        "nul\x00l": "nul␀l",
        "👩\u200d💻": "👩\u200d💻",
        "\u2066": "⟨U+2066⟩",
        "tab\tbreak\n": "tab→break↵",
        "\x1b[31m": "␛[31m",
        "../../etc": "../../etc",
    }
    names = [*SPECIAL, *hostile, *WORDS[len(SPECIAL) + len(hostile) :]]
    tokenizer = Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, unk_token="<unk>"))
    model = replace(tiny_model("gpt2"), tokenizer=PreTrainedTokenizerFast(tokenizer_object=tokenizer))
    contexts = random_contexts(30, 40)
    atlas = build_atlas(model, contexts, tmp_path, AtlasConfig(layers=[0]), progress=False)
    ids = range(len(SPECIAL), len(SPECIAL) + len(hostile))
    assert set(ids) <= set(contexts.tokens.ravel().tolist())
    assert [text.removeprefix(" ") for text in atlas.token_strings(ids)] == list(hostile.values())
    shown = {token.removeprefix(" ") for neuron in atlas.iterate(0) for s in neuron.snippets for token in s.tokens}
    assert shown >= set(hostile.values())


def test_words_ignore_space_and_case(tiny_atlas: Callable[[str], Atlas], tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_atlas("gpt2").path, tmp_path / "copy")
    written = [b" The", b"the", b" them", b"THE"]
    table = pd.DataFrame({"id": [2, 5, 6, 9], "text": "", "bytes": written, "special": False})
    table.to_parquet(folder / VOCABULARY)
    words = Atlas(folder, tiny_atlas("gpt2").manifest).words
    assert words[2] == words[5] == words[9] != words[6]
    assert words[[0, 1, 3, 4, 7, 8]].tolist() == [-1] * 6


def test_words_are_told_apart_by_what_tokens_are(tiny_atlas: Callable[[str], Atlas], tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_atlas("gpt2").path, tmp_path / "copy")
    tokens: list[tuple[bytes, bool]] = [
        *[(b"\xe3", False), (b" \xe3", False), (b"\xe3\x81", False), ("\ufffd".encode(), False)],  # all read U+FFFD
        *[("\u202e".encode(), False), ("⟨U+202E⟩".encode(), False), (b"\n", False), ("↵".encode(), False)],
        *[("é".encode(), False), ("e\u0301".encode(), False), (b"", False), (b"", False), (b" ", False)],
        *[(b"[A]", True), (b"[a]", True), (b"[A]", False), ("⟨E3⟩".encode(), False)],
        *[("東".encode(), False), (" 東".encode(), False), ("МОСКВА".encode(), False), ("москва".encode(), False)],
    ]
    written, special = zip(*tokens, strict=True)
    table = pd.DataFrame({"id": range(len(tokens)), "text": "", "bytes": written, "special": special})
    table.to_parquet(folder / VOCABULARY)
    words = Atlas(folder, tiny_atlas("gpt2").manifest).words
    same = [(i, j) for i in range(len(words)) for j in range(i) if words[i] == words[j]]
    assert same == [(12, 6), (18, 17), (20, 19)]  # space alone, and words that differ in space or case


def test_a_token_that_writes_nothing_is_shown_by_its_number(tiny_atlas: Callable[[str], Atlas], tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_atlas("gpt2").path, tmp_path / "copy")
    table = pd.read_parquet(folder / VOCABULARY)
    table.loc[table["id"] == 40, "bytes"] = b""
    table.to_parquet(folder / VOCABULARY)
    atlas = Atlas(folder, tiny_atlas("gpt2").manifest)
    assert atlas.token_strings([40, 41]) == ["⟨token 40⟩", tiny_atlas("gpt2").token_strings([41])[0]]
    shown = [snippet for neuron in atlas.iterate(0) for snippet in neuron.snippets]
    assert any(snippet.key_token == "⟨token 40⟩" for snippet in shown)


def test_a_read_does_not_change_the_atlas(tiny_atlas: Callable[[str], Atlas], copy: Path) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    neuron = open_atlas(copy).neuron(*full(tiny_atlas("gpt2"), 0))
    neuron.embeddings("gradient")
    neuron.clusters()
    _ = neuron.snippets
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


# No pickle


def calls_and_imports() -> list[tuple[str, str, ast.AST]]:
    """(file, dotted name, node) of every import and call in the package."""
    found: list[tuple[str, str, ast.AST]] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found += [(path.name, alias.name, node) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                found += [(path.name, f"{node.module}.{alias.name}", node) for alias in node.names]
            elif isinstance(node, ast.Call):
                found.append((path.name, ast.unparse(node.func), node))
    assert len(found) > 500
    return found


def test_no_pickle_is_read_or_written() -> None:
    modules = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle"}
    functions = {"joblib.dump", "joblib.load", "torch.save", "pd.read_pickle", "pandas.read_pickle"}
    for file, name, node in calls_and_imports():
        if name == "pickle.UnpicklingError":  # what torch.load raises on a file that holds code
            continue
        assert name.split(".")[0] not in modules and name not in functions, (file, name)
        assert not name.endswith(("to_pickle", "read_pickle")), (file, name)
        if isinstance(node, ast.Call):
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if name == "torch.load":
                assert options.get("weights_only") == "True", file
            if name in ("np.load", "numpy.load", "numpy.lib.format.read_array"):
                assert options.get("allow_pickle", "False") == "False", file


def test_another_embedding_makes_what_an_atlas_of_it_has(
    own_atlas: Callable[[str], Atlas], tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    atlas = own_atlas("gpt2")
    before = {path.name: path.read_bytes() for path in atlas.path.iterdir() if path.is_file()}
    built = build_atlas(tiny_model("gpt2"), random_contexts(40, 32), tmp_path / "built", progress=False)
    assert built.manifest.embedding == "centered"  # the default
    centered = pickle.loads(pickle.dumps(atlas.with_embedding("centered")))
    assert centered.manifest.embedding == "centered" and atlas.manifest.embedding == "input"
    pd.testing.assert_frame_equal(centered.neurons, built.neurons)
    pd.testing.assert_frame_equal(features_of(centered, progress=False), features_of(built, progress=False))
    near, theirs = (neighbors_of(each, "centered", progress=False) for each in (centered, built))
    np.testing.assert_array_equal(near.feature, theirs.feature)
    pd.testing.assert_frame_equal(centered.neurons[["layer", "index"]], atlas.neurons[["layer", "index"]])
    assert not centered.neurons["n_clusters"].equals(atlas.neurons["n_clusters"])
    made = {path.name for path in (atlas.path / "embedding-centered").iterdir() if not path.name.startswith(".")}
    assert made == {"neurons.parquet", "features.parquet", "similar-centered.safetensors"}
    assert {path.name: path.read_bytes() for path in atlas.path.iterdir() if path.is_file()} == before
    assert atlas.with_embedding("input").kept.folder == atlas.path == atlas.with_embedding("paper").kept.folder
    assert atlas.with_embedding("auto").kept.folder == atlas.path / "embedding-centered"
    assert built.with_embedding("auto").kept.folder == built.path
    paper = built.with_embedding("paper")
    pd.testing.assert_frame_equal(paper.neurons, atlas.neurons)
    for atlas_by in (atlas, centered, built, paper):
        own = atlas_by.as_built
        assert own.path == atlas_by.path and own.manifest == open_atlas(atlas_by.path).manifest
    for wrong in ("gate", "pre_mlp", "", None):
        with pytest.raises(
            NbkitError, match=r"is not defined for the neurons of .*: choose input, gradient, centered$"
        ):
            atlas.with_embedding(wrong)  # type: ignore[arg-type]
