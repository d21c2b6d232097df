"""What a layer reads at every token: against `LanguageModel.capture` on tiny models, and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nbkit.models import load_model
from nbkit.studies.shared.planted.token_reads import VECTORS_A_TEXT, held_out, read_layers
from tests.examples.tiny_models import make_model
from tests.examples.token_reads import labeled_by_hand, reads_by_hand, unlabeled


@pytest.mark.parametrize("architecture", ["llama", "bert"])
def test_every_token_of_text_has_what_the_mlp_reads_there(architecture: str, tmp_path: Path) -> None:
    model = load_model(make_model(architecture, tmp_path), dtype="float32", device="cpu")
    labeled = unlabeled(19, last_special=architecture == "bert")
    two = read_layers(model, labeled, [2, 0])
    for layer, reads in zip([2, 0], two, strict=True):
        assert reads.group == f"{model.name} L{layer}"
        captured = torch.cat(list(model.capture(labeled.contexts, f"blocks.{layer}.mlp.hook_in"))).numpy()
        np.testing.assert_allclose(reads.read, captured.reshape(reads.read.shape), rtol=1e-4, atol=1e-5)
        places = [(c, p) for c in range(19) for p in range(12) if not labeled.contexts.special[p]]
        assert list(zip(reads.context, reads.position, strict=True)) == places
        assert reads.token.tolist() == [labeled.contexts.tokens[place] for place in places]
        weights = model.neuron_weights(layer)
        branch = weights.w_in if weights.w_gate is None else weights.w_gate
        np.testing.assert_array_equal(reads.neurons, branch.numpy())
        snippet = reads.text(np.array([14])).snippets[0]
        row = labeled.contexts.tokens[reads.context[14]][~labeled.contexts.special]
        assert snippet == model.tokenizer.decode(row, clean_up_tokenization_spaces=False).strip() or not model.causal


def test_the_text_of_a_token() -> None:
    reads = reads_by_hand(labeled_by_hand(n=30, length=11))
    rows = np.array([0, 3, 9, 10, 25])
    text = reads.text(rows)
    assert text.keys.tolist() == reads.token[rows].tolist()
    assert text.window is not None and text.window.shape == (5, VECTORS_A_TEXT, 12)
    for number, row in enumerate(rows):
        before = [r for r in range(row + 1) if reads.context[r] == reads.context[row]][-VECTORS_A_TEXT:]
        np.testing.assert_array_equal(text.window[number, VECTORS_A_TEXT - len(before) :], reads.read[before])
        assert not text.window[number, : VECTORS_A_TEXT - len(before)].any()
        tokens = reads.labeled.contexts.tokens[reads.context[row], 1:]
        assert text.snippets[number] == b"".join(reads.written[i] for i in tokens.tolist()).decode().strip()


def test_the_background_is_one_object_of_the_layers_vectors() -> None:
    reads = reads_by_hand(labeled_by_hand())
    assert reads.background is reads.background
    known = {row.tobytes() for row in reads.read}
    assert {row.tobytes() for row in reads.background.vectors} <= known
    assert len(reads.background.vectors) == min(20_000, len(reads.read))


def test_one_of_every_two_documents_is_held_out() -> None:
    documents = np.repeat(np.arange(40), 3)
    held = held_out(documents, seed=3)
    halves = [{*documents[held].tolist()}, {*documents[~held].tolist()}]
    assert not halves[0] & halves[1]
    assert all(len(half & {2 * i, 2 * i + 1}) == 1 for half in halves for i in range(20))
    assert halves[0] not in ({*range(0, 40, 2)}, {*range(1, 40, 2)}), "drawn, not all even ones"
    np.testing.assert_array_equal(held_out(documents[60:], seed=3), held[60:])
    assert (held_out(documents, seed=4) != held).any()
