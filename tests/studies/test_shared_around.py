"""What is around a layer's vectors in tiny models, beside a slow reference that looks at one token at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nbkit.errors import NbkitError
from nbkit.models import LanguageModel, load_model
from nbkit.models.attention import attention_weights
from nbkit.models.loss_gradients import loss_gradients
from nbkit.studies.shared.planted.labeled_contexts import LabeledContexts
from nbkit.studies.shared.planted.token_reads import TokenReads, read_layers
from tests.examples.architectures import ARCHITECTURES
from tests.examples.tiny_models import make_model, make_network, make_tokenizer
from tests.examples.token_reads import unlabeled

N, LAYERS = 11, [2, 0]
CHOSEN = np.isin(np.arange(N), [0, 1, 4, 5, 6, 8, 10])  # one batch and a half


def read(architecture: str, folder: Path) -> tuple[LanguageModel, LabeledContexts, list[TokenReads]]:
    model = load_model(make_model(architecture, folder), dtype="float32", device="cpu")
    labeled = unlabeled(N, last_special=architecture == "bert")
    return model, labeled, read_layers(model, labeled, LAYERS, seed=3, around=CHOSEN)


@pytest.mark.parametrize("architecture", ["llama", "bert"])
def test_attended_vectors_are_means_weighted_by_attention(architecture: str, tmp_path: Path) -> None:
    model, labeled, found = read(architecture, tmp_path)
    tokens, special = labeled.contexts.tokens, labeled.contexts.special
    with attention_weights(model, LAYERS) as attention:
        with model.captured([2], lambda *_: None) as run:
            run(torch.from_numpy(tokens))
        weights = {layer: each.numpy() for layer, each in attention.items()}
    for layer, reads in zip(LAYERS, found, strict=True):
        rows = np.flatnonzero(CHOSEN[reads.context])
        text = reads.text(rows)
        assert text.attended is not None and text.attended.shape == reads.read[rows].shape
        for number, row in enumerate(rows):
            total, weighted = 0.0, np.zeros(model.d_model)
            for other in np.flatnonzero(reads.context == reads.context[row]):
                weight = float(weights[layer][reads.context[row], reads.position[row], reads.position[other]])
                assert not model.causal or other <= row or weight == 0
                total, weighted = total + weight, weighted + weight * reads.read[other]
            assert 0 < total < 1, "special tokens are attended to, and are no text"
            np.testing.assert_allclose(text.attended[number], weighted / total, atol=2e-4)
    assert special.any()


def test_loss_gradients_are_those_at_the_key_tokens(tmp_path: Path) -> None:
    model, labeled, found = read("llama", tmp_path)
    tokens, there = torch.from_numpy(labeled.contexts.tokens), torch.from_numpy(~labeled.contexts.special)
    for layer, reads in zip(LAYERS, found, strict=True):
        rows = np.flatnonzero(CHOSEN[reads.context])[::-3]
        gradients = reads.text(rows).loss_gradient
        assert gradients is not None and gradients.dtype == np.float32
        for number, row in enumerate(rows):
            alone = loss_gradients(model, tokens[reads.context[row], None], there, [layer])[layer]
            np.testing.assert_allclose(gradients[number], alone[0, reads.position[row]], rtol=1e-3, atol=1e-4)


def test_the_layer_before_is_read_at_the_key_tokens_and_centered(tmp_path: Path) -> None:
    model, labeled, (second, first) = read("llama", tmp_path)
    (before,) = read_layers(model, labeled, [1], seed=3)
    rows = np.flatnonzero(CHOSEN[second.context])[::2]
    text = second.text(rows)
    assert text.previous is not None
    np.testing.assert_allclose(text.previous, before.read[rows] - before.background.vectors.mean(axis=0), atol=1e-5)
    assert first.text(rows).previous is None, "nothing is before layer 0"


def test_without_around_the_vectors_are_the_same_and_nothing_is_beside_them(tmp_path: Path) -> None:
    model, labeled, found = read("llama", tmp_path)
    for reads, plain in zip(found, read_layers(model, labeled, LAYERS, seed=3), strict=True):
        np.testing.assert_array_equal(reads.read, plain.read)
        text = plain.text(np.array([3, 40]))
        assert text.window is not None
        assert text.previous is None and text.attended is None and text.loss_gradient is None


def test_only_tokens_of_the_chosen_contexts_have_a_text(tmp_path: Path) -> None:
    _, _, (reads, _) = read("llama", tmp_path)
    with pytest.raises(NbkitError, match="Context 2 is not among the 7 read with what is around"):
        reads.text(np.flatnonzero(np.isin(reads.context, [1, 2, 3])))


def test_what_cannot_be_had_is_none(tmp_path: Path) -> None:
    _, _, (encoder, _) = read("bert", tmp_path)
    text = encoder.text(np.array([1]))
    assert text.loss_gradient is None and text.attended is not None
    network = next(each for each in ARCHITECTURES if each.kind == "FalconForCausalLM").make()
    falcon = load_model(network, tokenizer=make_tokenizer())
    (reads,) = read_layers(falcon, unlabeled(N, last_special=False), [1], around=CHOSEN)
    text = reads.text(np.array([1]))
    assert text.attended is None and text.loss_gradient is not None and text.previous is not None


def test_in_half_precision_they_are_nearly_those_in_float32() -> None:
    labeled = unlabeled(N, last_special=False)
    wide, half = (
        read_layers(load_model(make_network("llama"), dtype, tokenizer=make_tokenizer()), labeled, [1], around=CHOSEN)
        for dtype in ("float32", "bfloat16")
    )
    rows = np.flatnonzero(CHOSEN[wide[0].context] & (wide[0].position < 11))
    for name in ("previous", "attended", "loss_gradient"):
        one, other = (reads[0].text(rows).vectors[name] for reads in (wide, half))
        assert one is not None and other is not None
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        assert ((one * other).sum(axis=1) / lengths).min() > 0.99
