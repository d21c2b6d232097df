"""The next token's distribution with a neuron changed, beside the whole text run through the network each time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.models import LanguageModel, load_model
from nbkit.studies.ground_truth import zeroing as module
from nbkit.studies.ground_truth.zeroing import Zeroing
from nbkit.studies.shared.text_and_model import says_next
from tests.examples.tiny_models import make_network, make_tokenizer, random_contexts

LAYER, INDEX, OTHER = 1, 3, 5


def slowly(model: LanguageModel, tokens: np.ndarray, last: int) -> Tensor:
    """(3, vocabulary) of one context: the whole text, three times."""
    said = []
    for variant in range(3):

        def change(_: object, args: tuple[Tensor], variant: int = variant) -> tuple[Tensor]:
            activations = args[0].clone().reshape(1, last + 1, -1)
            activation = float(activations[0, last, INDEX])
            if variant == 1:
                activations[0, last, INDEX] = 0
            if variant == 2:
                activations[0, last, OTHER] -= activation
            return (activations.reshape(args[0].shape),)

        handle = model.output_weights(LAYER).register_forward_pre_hook(change)
        with torch.inference_mode():
            logits = model.network(input_ids=torch.from_numpy(tokens[None, : last + 1]).long(), use_cache=False).logits
        handle.remove()
        said.append(logits[0, last].float().log_softmax(-1))
    return torch.stack(said)


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "phi3"])
def test_whole_texts_say_the_same(architecture: str, tiny_model: Callable[[str], LanguageModel]) -> None:
    model, tokens = tiny_model(architecture), random_contexts(11, 40).tokens
    last = np.array([7, 1, 30, 12, 2, 39, 30, 8, 21, 5, 17])
    said = Zeroing(model).log_probabilities(tokens, last, LAYER, INDEX, OTHER)
    expected = torch.stack([slowly(model, *each) for each in zip(tokens, last.tolist(), strict=True)], dim=1)
    torch.testing.assert_close(said, expected, rtol=0, atol=2e-4)
    changed = (said[1:] - said[:1]).abs().amax(dim=-1)
    assert (changed > 1e-2).float().mean() > 0.5, "the changes are seen"


def test_the_other_contexts_and_what_follows_do_not_count(tiny_model: Callable[[str], LanguageModel]) -> None:
    zeroing, tokens = Zeroing(tiny_model("llama")), random_contexts(9, 40).tokens
    last = np.arange(9) * 3 + 2
    together = zeroing.log_probabilities(tokens, last, LAYER, INDEX, OTHER)
    rows = np.array([6, 1])
    other = tokens[rows].copy()
    other[np.arange(2), last[rows] + 1] = 9
    alone = zeroing.log_probabilities(other, last[rows], LAYER, INDEX, OTHER)
    torch.testing.assert_close(alone, together[:, rows], rtol=0, atol=1e-4)


def test_the_last_token_is_run_in_float32() -> None:
    """What zeroing changes is that of the float32 network, up to what bfloat16 makes of the tokens before."""
    model = load_model(make_network("llama").to(torch.bfloat16), tokenizer=make_tokenizer())
    wide = load_model(make_network("llama").to(torch.bfloat16).float(), tokenizer=make_tokenizer())
    tokens, last = random_contexts(16, 40).tokens, np.arange(16) * 2 + 5
    found, expected = (
        Zeroing(each).log_probabilities(tokens, last, LAYER, INDEX, OTHER).double() for each in (model, wide)
    )
    assert model.network.dtype == torch.bfloat16, "the model stays as it was"
    changes = [each[1] - each[0] for each in (found, expected)]
    error = (changes[0] - changes[1]).norm(dim=-1) / changes[1].norm(dim=-1)
    assert error.median() < 0.02


def test_models_that_say_nothing_next_are_refused(tiny_model: Callable[[str], LanguageModel]) -> None:
    assert says_next(tiny_model("gpt2")) and not says_next(tiny_model("bert"))
    with pytest.raises(NbkitError, match="doesn't say which token comes next"):
        Zeroing(tiny_model("bert"))


def test_a_model_that_forgets_is_refused(
    tiny_model: Callable[[str], LanguageModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gemma's window of 8 tokens would be filled by what stands behind shorter texts; and some keep nothing."""
    with pytest.raises(NbkitError, match=r"doesn't say what the whole text says \(relative error"):
        Zeroing(tiny_model("gemma2"))
    model = tiny_model("gpt2")
    monkeypatch.setattr(type(model.network.base_model), "forward", lambda *_, **__: torch.nn.Module())
    with pytest.raises(NbkitError, match=r"doesn't say what the whole text says \('Module' object has no attribute"):
        module.Zeroing(model)
