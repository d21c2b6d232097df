"""A reader's own text against one forward pass of TransformerLens and distances taken one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.features.own_text import read_own_text
from nbkit.models import LanguageModel
from nbkit.models.sign import SIGNS, Sign

TEXT = "the old bank of a river, 7x!"


def captured(model: LanguageModel, ids: list[int], layer: int) -> tuple[np.ndarray, np.ndarray]:
    """What the neurons of a layer receive, and their activations."""
    names = (f"blocks.{layer}.mlp.hook_in", f"blocks.{layer}.mlp.out.hook_in")
    with torch.inference_mode():
        _, cache = model.bridge.run_with_cache(torch.tensor([ids]), names_filter=lambda name: name in names)
    received, activations = (cache[name][0].numpy() for name in names)
    return received, activations


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_equals_a_slow_reference(
    architecture: str,
    sign: Sign,
    tiny_model: Callable[[str], LanguageModel],
    signed_atlas: Callable[[str, Sign], Atlas],
) -> None:
    model, atlas = tiny_model(architecture), signed_atlas(architecture, sign)
    before = [token for token, _ in atlas.manifest.added_before]
    ids = [*before, *model.tokenizer(TEXT, add_special_tokens=False)["input_ids"]]
    first = max(len(before), 1)
    for layer in atlas.layers:
        received, activations = captured(model, ids, layer)
        for index in range(4):
            neuron = atlas.neuron(layer, index)
            read = read_own_text(model, atlas, layer, index, TEXT)
            assert [token.strip() or " " for token in read.tokens[len(before) :]] == list(TEXT)
            assert np.allclose(read.activations, activations[:, index], atol=1e-5)
            own = activations[:, index]
            strengths = {"positive": own, "negative": -own, "both": np.abs(own)}[sign]
            assert strengths[read.peak] == pytest.approx(strengths[first:].max(), rel=1e-5)
            assert read.of_maximum == pytest.approx(strengths[first:].max() / neuron.max_activation, rel=1e-3)
            embedding = neuron.weights.embed(received[read.peak][None], neuron.embedding, neuron.activation)[0]
            expected = [cosine(embedding, example) for example in neuron.embeddings()]
            assert read.distances is not None and np.allclose(read.distances, expected, atol=1e-4)


def test_a_context_of_the_atlas_is_read_as_the_atlas_read_it(
    tiny_model: Callable[[str], LanguageModel], tiny_atlas: Callable[[str], Atlas]
) -> None:
    model, atlas = tiny_model("llama"), tiny_atlas("llama")
    before = [token for token, _ in atlas.manifest.added_before]
    for index in range(5):
        neuron = atlas.neuron(1, index)
        context, position = int(neuron.context[0]), int(neuron.position[0])
        tokens = atlas.tokens[context][len(before) :]
        text = "".join(model.tokenizer.convert_ids_to_tokens(tokens))
        read = read_own_text(model, atlas, 1, index, text)
        assert (read.peak, len(read.tokens)) == (position, atlas.manifest.length)
        assert read.activations[position] == pytest.approx(neuron.peak[0], rel=1e-4)
        assert read.distances is not None and read.distances[0] == pytest.approx(0, abs=1e-5)


def test_texts_that_cannot_be_read_are_refused(
    tiny_model: Callable[[str], LanguageModel], tiny_atlas: Callable[[str], Atlas]
) -> None:
    model, atlas = tiny_model("llama"), tiny_atlas("llama")
    with pytest.raises(NbkitError, match="too short"):
        read_own_text(model, atlas, 1, 0, "")
    with pytest.raises(NbkitError, match="at most 32"):
        read_own_text(model, atlas, 1, 0, "x" * 40)
    with pytest.raises(NbkitError, match="no layer 9"):
        read_own_text(model, atlas, 9, 0, TEXT)


def test_a_neuron_without_direction_has_activations_and_no_distances(pruned_atlas: Atlas) -> None:
    from nbkit.models import load_model
    from tests.examples.tiny_models import PADDED, prune

    model = load_model(pruned_atlas.manifest.model, dtype="float32", device="cpu")
    prune(model)
    read = read_own_text(model, pruned_atlas, 1, PADDED, TEXT)
    assert read.distances is None and not read.activations.any() and np.isnan(read.of_maximum)
