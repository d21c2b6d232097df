"""Token importance against one forward pass of TransformerLens per replaced token."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

import nbkit.features.importance
from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.errors import NbkitError
from nbkit.features.importance import (
    _reads_packed,
    activations_of,
    batches,
    keep_importance,
    kept_importance,
    mask_token,
    token_importance,
)
from nbkit.features.replacements import PACKED, WHOLE_CONTEXTS, Example, Layout
from nbkit.features.table import features_of
from nbkit.models import LanguageModel, load_model
from nbkit.models.neurons import MlpNeurons, units_of
from nbkit.models.sign import Sign
from tests.examples.tiny_models import VOCABULARY, make_model

ARCHITECTURES = ("gpt2", "llama", "bert", "gemma2")
BLANK, MASK = VOCABULARY.index("_"), VOCABULARY.index("[MASK]")


@pytest.fixture
def atlas(own_atlas: Callable[[str], Atlas]) -> Atlas:
    """A copy of an atlas, into which importance may be written."""
    return own_atlas("llama")


def activation(model: LanguageModel, tokens: np.ndarray, layer: int, index: int, position: int) -> float:
    name = f"blocks.{layer}.mlp.out.hook_in"
    with torch.inference_mode():
        _, cache = model.bridge.run_with_cache(torch.tensor(tokens)[None].long(), names_filter=lambda n: n == name)
    return float(cache[name][0, position, index])


def slow_importance(model: LanguageModel, atlas: Atlas, layer: int, index: int, example: int) -> list[float]:
    """Foote et al.'s method word by word."""
    neuron = atlas.neuron(layer, index)
    tokens, key = atlas.tokens[neuron.context[example]], int(neuron.position[example])
    original = activation(model, tokens, layer, index, key)
    values = []
    for position in range(max(0, key - 20), key + 1):
        masked = tokens.copy()
        if position > 0:  # where the context begins
            masked[position] = BLANK if model.causal else MASK
        values.append(1 - activation(model, masked, layer, index, key) / original)
    largest = max(values)
    return [min(max(value / largest, 0), 1) if largest > 0 else 0 for value in values]


def some(atlas: Atlas, n: int) -> Iterator[tuple[int, int, list[int]]]:
    """Neurons of all layers with the numbers of examples near the start and the end of a context."""
    for layer in atlas.layers:
        for index in range(n):
            order = np.argsort(atlas.neuron(layer, index).position)
            yield layer, index, sorted({int(order[0]), int(order[-1])})


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_equals_one_pass_per_replaced_token(
    architecture: str, tiny_model: Callable[[str], LanguageModel], tiny_atlas: Callable[[str], Atlas]
) -> None:
    model, atlas = tiny_model(architecture), tiny_atlas(architecture)
    lengths, largest = [], []
    for layer, index, examples in some(atlas, 3):
        values = token_importance(model, atlas, layer, index, examples)
        for example, found in zip(examples, values, strict=True):
            assert found.dtype == np.float32
            expected = slow_importance(model, atlas, layer, index, example)
            np.testing.assert_allclose(found, expected, atol=2e-4)
            lengths.append(len(found))
            largest.append(found.max())
    assert min(lengths) < 21 == max(lengths) and np.median(largest) == 1


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
@pytest.mark.parametrize("sign", ["negative", "both"])
def test_activations_below_zero_are_lost_towards_zero(
    architecture: str,
    sign: Sign,
    tiny_model: Callable[[str], LanguageModel],
    signed_atlas: Callable[[str, Sign], Atlas],
) -> None:
    model, atlas = tiny_model(architecture), signed_atlas(architecture, sign)
    below = 0
    for index in range(6):
        neuron = atlas.neuron(1, index)
        example = int(neuron.peak.argmin())
        below += neuron.peak[example] < 0
        [found] = token_importance(model, atlas, 1, index, [example])
        np.testing.assert_allclose(found, slow_importance(model, atlas, 1, index, example), atol=1e-3)
    assert below >= (6 if sign == "negative" else 1) or (architecture, sign) == ("gpt2", "both")


@pytest.mark.parametrize(
    ("architecture", "packed"), [("gpt2", True), ("llama", True), ("gemma2", False), ("bert", False)]
)
def test_a_model_that_does_not_read_packed_sequences_is_found_out(
    architecture: str,
    packed: bool,
    tiny_model: Callable[[str], LanguageModel],
    tiny_atlas: Callable[[str], Atlas],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """BERT is bidirectional, and Gemma 2 looks back 8 tokens in every other layer, whatever its mask should be."""
    layouts: list[Layout] = []

    def note(examples: Sequence[Example], layout: Layout, tokens: int) -> Iterator[list[int]]:
        layouts.append(layout)
        return batches(examples, layout, tokens)

    monkeypatch.setattr(nbkit.features.importance, "batches", note)
    last = int(tiny_atlas(architecture).neuron(2, 0).position.argmax())
    token_importance(tiny_model(architecture), tiny_atlas(architecture), 2, 0, [last])
    assert layouts == [PACKED if packed else WHOLE_CONTEXTS]


def test_a_gpu_reads_whole_contexts(tiny_model: Callable[[str], LanguageModel]) -> None:
    model = tiny_model("llama")
    example = Example(0, 0, 0, 1.0, np.arange(5, 25), 10, np.array([3, 4]))
    assert _reads_packed(units_of(model), example)
    on_gpu = units_of(dataclasses.replace(model, device=torch.device("cuda")))  # which nothing is run on
    assert not _reads_packed(on_gpu, example)


def test_neurons_of_several_layers_share_a_pass(
    tiny_model: Callable[[str], LanguageModel], tiny_atlas: Callable[[str], Atlas]
) -> None:
    model, atlas = tiny_model("llama"), tiny_atlas("llama")
    examples = [
        each
        for layer, index, numbers in some(atlas, 4)
        for each in nbkit.features.importance.examples_of(atlas, layer, index, numbers)
    ]
    for layout in (PACKED, WHOLE_CONTEXTS):
        together = activations_of(MlpNeurons(model), examples, layout)
        for example, found in zip(examples, together, strict=True):
            assert found.shape == (1 + len(example.replaced), 2)
            np.testing.assert_allclose(found[0, 0], example.peak, rtol=1e-4)
            [alone] = activations_of(MlpNeurons(model), [example], layout)
            np.testing.assert_allclose(found, alone, atol=1e-4)


def test_batches_go_by_layer_and_size() -> None:
    def example(layer: int, key: int) -> Example:
        return Example(layer, 0, 0, 1.0, np.zeros(64, np.int32), key, np.arange(max(0, key - 20), key + 1))

    examples = [example(1, 30), example(0, 2), example(1, 1), example(0, 60), example(0, 40)]
    assert [PACKED.size(each) for each in examples] == [31 + 231, 3 + 6, 2 + 3, 61 + 231, 41 + 231]
    assert WHOLE_CONTEXTS.size(examples[1]) == 64 * 4
    assert list(batches(examples, PACKED, 600)) == [[1, 4], [3, 2], [0]]
    assert list(batches(examples, PACKED, 1)) == [[1], [4], [3], [2], [0]]
    assert list(batches(examples, PACKED, 10**6)) == [[1, 4, 3, 2, 0]]
    assert list(batches([], PACKED, 600)) == []


def test_a_packed_sequence_by_hand() -> None:
    """Text 5 6 7 8 9 with key 8, and 6 and 8 replaced by 1; a second, shorter example beside it."""
    examples = [
        Example(0, 0, 0, 1.0, np.array([5, 6, 7, 8, 9]), 3, np.array([1, 3])),
        Example(0, 0, 1, 1.0, np.array([5, 6, 7, 8, 9]), 1, np.array([1])),
    ]
    sequences = PACKED.lay(examples, 1, torch.float32)
    assert sequences.tokens.tolist() == [[5, 6, 7, 8, 1, 7, 8, 1], [5, 6, 1, 0, 0, 0, 0, 0]]
    assert sequences.inputs["position_ids"].tolist() == [[0, 1, 2, 3, 1, 2, 3, 3], [0, 1, 1, 0, 0, 0, 0, 0]]
    assert [[each.tolist() for each in keys] for keys in sequences.keys] == [
        [[0, 0, 0], [3, 6, 7]],
        [[1, 1], [1, 2]],
    ]
    sees = sequences.inputs["attention_mask"] == 0
    assert sees.shape == (2, 1, 8, 8)
    assert ["".join("x" if each else "." for each in row) for row in sees[0, 0]] == [
        "x.......",
        "xx......",
        "xxx.....",
        "xxxx....",
        "x...x...",
        "x...xx..",
        "x...xxx.",
        "xxx....x",
    ]
    assert sees[1, 0].any(1).all()  # a token that sees nothing would be NaN


def test_the_share_lost_by_hand() -> None:
    example = Example(0, 0, 0, 4.0, np.zeros(9, np.int32), 3, np.array([1, 2, 3]))
    share_lost = nbkit.features.importance._share_lost
    assert share_lost(example, np.array([4.0, 3.0, 2.0, 5.0])).tolist() == [0, 0.5, 1, 0]
    assert share_lost(example, np.array([4.0, -4.0, 4.0, 3.0])).tolist() == [0, 1, 0, 0.125]
    assert share_lost(example, np.array([4.0, 4.0, 5.0, 6.0])).tolist() == [0, 0, 0, 0]
    alone = replace(example, key=0, replaced=np.array([], dtype=int))
    assert share_lost(alone, np.array([4.0])).tolist() == [0]


def test_the_mask_token_is_the_tokenizer_s_own_or_a_blank(tiny_model: Callable[[str], LanguageModel]) -> None:
    assert [mask_token(tiny_model(name)) for name in ("bert", "llama", "gpt2")] == [MASK, BLANK, BLANK]


def test_a_vocabulary_without_an_underscore_has_its_unknown_token_or_a_sentence() -> None:
    def model(names: list[str], **special: str) -> LanguageModel:
        tokenizer = Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, **special))
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
        return cast(LanguageModel, SimpleNamespace(tokenizer=fast, name="seven"))

    assert mask_token(model(list("xyz_.,!"))) == 3
    assert mask_token(model([*"xyz.,!", "[UNK]"], unk_token="[UNK]")) == 6
    with pytest.raises(NbkitError, match=r"'seven' needs .* neither a mask token nor an underscore nor"):
        mask_token(model(list("xyzabc!")))


def test_it_is_kept_for_the_medoids_of_the_features(
    atlas: Atlas,
    tiny_model: Callable[[str], LanguageModel],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, features = tiny_model("llama"), features_of(atlas, progress=False)
    _, *most = features[features["layer"] < 2].nlargest(3, "place")[["layer", "index"]].to_numpy().tolist()
    neurons = [(layer, index) for layer, index in most]
    assert kept_importance(atlas) == {}
    keep_importance(model, atlas, neurons * 2)
    assert "token importance: 100%" in capsys.readouterr().err
    expected = {
        (layer, index, medoid)
        for layer, index, medoid in features[["layer", "index", "medoid"]].itertuples(index=False, name=None)
        if (layer, index) in neurons
    }
    kept = kept_importance(open_atlas(atlas.path))
    assert set(kept) == expected and len(expected) > 2
    for (layer, index, example), values in kept.items():
        [again] = token_importance(model, atlas, layer, index, [example])
        np.testing.assert_allclose(values, again, atol=1e-4)

    asked: list[int] = []
    whole = nbkit.features.importance._importance

    def count(model: LanguageModel, atlas: Atlas, examples: Sequence[Example], progress: bool) -> Any:
        asked.append(len(examples))
        return whole(model, atlas, examples, progress)

    monkeypatch.setattr(nbkit.features.importance, "_importance", count)
    keep_importance(model, atlas, neurons, progress=False)
    assert asked == []  # all of it is there
    keep_importance(model, atlas, [(2, 1), *neurons], progress=False)
    assert asked == [int(((features["layer"] == 2) & (features["index"] == 1)).sum())]
    more = kept_importance(atlas)
    assert {name for name in more if name[:2] == (2, 1)} and all((more[name] == kept[name]).all() for name in kept)
    assert capsys.readouterr().err == ""


def test_nothing_is_asked_of_nothing(atlas: Atlas, tiny_model: Callable[[str], LanguageModel]) -> None:
    assert token_importance(tiny_model("llama"), atlas, 0, 0, []) == []
    keep_importance(tiny_model("llama"), atlas, [], progress=False)
    assert kept_importance(atlas) == {}


@pytest.mark.parametrize("example", [-1, 1000])
def test_an_example_that_is_not_there_is_refused(
    example: int, tiny_model: Callable[[str], LanguageModel], tiny_atlas: Callable[[str], Atlas]
) -> None:
    with pytest.raises(NbkitError, match=rf"L0 N0 has no example {example}: it has \d+, counted from 0"):
        token_importance(tiny_model("gpt2"), tiny_atlas("gpt2"), 0, 0, [0, example])


def test_another_model_is_refused_by_name(
    tmp_path: Path, tiny_model: Callable[[str], LanguageModel], tiny_atlas: Callable[[str], Atlas]
) -> None:
    atlas = tiny_atlas("llama")
    with pytest.raises(NbkitError, match=r"model '.*gpt2' doesn't give the activations of atlas .*open '.*llama'"):
        token_importance(tiny_model("gpt2"), atlas, 1, 2, [0])
    small = load_model(make_model("llama", tmp_path / "other"), dtype="float32", device="cpu")
    sites = tuple(replace(site, n_units=39) for site in atlas.manifest.sites)
    smaller = replace(atlas, manifest=replace(atlas.manifest, sites=sites))
    with pytest.raises(NbkitError, match=r"model '.*other' has other layers, neurons or tokens than '.*llama'"):
        token_importance(small, smaller, 1, 2, [0])
