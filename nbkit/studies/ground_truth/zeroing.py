"""What a language model says next with a neuron's activation at the last token, and without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nbkit.errors import NbkitError
from nbkit.models import LanguageModel
from nbkit.models.language_model import ALLOWED_ROUNDING
from nbkit.models.trace import in_float32
from nbkit.models.weights import relative_error
from nbkit.studies.shared.text_and_model import says_next

ZEROING_VARIANTS = 3
"""The context unchanged, with the neuron's activation zero, and with another neuron's lowered by as much."""
MOST_READ = 48
"""Tokens of a context that are read, at most: of those to which that is few, for the time that it takes."""
ZEROED_AT_ONCE = 8
"""Contexts in a forward pass."""


class Zeroing:
    """A language model whose neurons are zeroed at the last token of contexts.

    The tokens before the last are run once, in the model's precision: in a causal model they give the same keys and
    values whatever a neuron does at the last. That one is run in float32, once for each variant, since what a single
    neuron changes is less than bfloat16 rounds.
    """

    def __init__(self, model: LanguageModel) -> None:
        """Prepare a model.

        Args:
            model: one that `says_next`.

        Raises:
            NbkitError: it doesn't, or a text's last token by itself doesn't say what the whole text says.
        """
        if not says_next(model):
            raise NbkitError(f"model {model.name!r} doesn't say which token comes next: give a causal one with a head")
        self.model = model
        self.wide: Any = model.network if model.dtype == torch.float32 else in_float32(model.network, model.device)
        """The network that runs the last tokens."""
        self._check()

    def log_probabilities(
        self, tokens: Int[np.ndarray, "n length"], last: Int[np.ndarray, " n"], layer: int, index: int, other: int
    ) -> Float[Tensor, "3 n vocabulary"]:
        """Natural logarithms of the next token's probabilities: as the model is, with a neuron's activation at the last
        token zero, and with another neuron's activation there lowered by as much.

        Args:
            tokens: of the contexts.
            last: for each the position of its last token, from 1 to `MOST_READ` - 1; what follows is not read.
            layer, index: the neuron.
            other: the other neuron of the layer.
        """
        order = np.argsort(last, kind="stable")  # alike in length together
        found = []
        for rows in (order[first : first + ZEROED_AT_ONCE] for first in range(0, len(order), ZEROED_AT_ONCE)):
            batch = torch.from_numpy(tokens[rows]), torch.from_numpy(last[rows])
            found.append(self._next(self.model.network, *batch, self._changed(layer, index, other)))
        return torch.cat(found, dim=1)[:, torch.from_numpy(np.argsort(order))]

    @torch.inference_mode()
    def _next(
        self,
        before: Any,
        tokens: Int[Tensor, "b length"],
        last: Int[Tensor, " b"],
        changed: AbstractContextManager[None],
    ) -> Float[Tensor, "3 b vocabulary"]:
        """The variants of one batch: the network `before` runs the tokens before the last ones, and these are run
        within `changed`."""
        tokens, last = (each.to(self.model.device).long() for each in (tokens, last))
        longest = int(last.max())
        past: Any = before.base_model(input_ids=tokens[:, :longest], use_cache=True).past_key_values
        for kept in past.layers:
            kept.keys, kept.values = (
                each.repeat(ZEROING_VARIANTS, 1, 1, 1).float() for each in (kept.keys, kept.values)
            )
        sees = torch.arange(longest + 1, device=last.device) < last[:, None]
        sees[:, longest] = True  # itself
        with changed:
            output = self.wide(
                input_ids=tokens.gather(1, last[:, None]).repeat(ZEROING_VARIANTS, 1),
                attention_mask=sees.long().repeat(ZEROING_VARIANTS, 1),
                position_ids=last[:, None].repeat(ZEROING_VARIANTS, 1),
                past_key_values=past,
            )
        logits: Tensor = output.logits[:, -1].unflatten(0, (ZEROING_VARIANTS, len(last)))
        return logits.float().log_softmax(-1)

    @contextmanager
    def _changed(self, layer: int, index: int, other: int) -> Iterator[None]:
        def change(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            activations = args[0].clone()
            as_is, zeroed, lowered = activations.chunk(ZEROING_VARIANTS)
            zeroed[..., index] = 0
            lowered[..., other] -= as_is[..., index]
            return (activations, *args[1:])

        reader = self.model.output_weights(layer)
        name = next(name for name, module in self.model.network.named_modules() if module is reader)
        handle = self.wide.get_submodule(name).register_forward_pre_hook(change)
        try:
            yield
        finally:
            handle.remove()

    def _check(self) -> None:
        """Compares with whole texts, in float32 all through."""
        tokens = self.model.probe().repeat(1, MOST_READ)[:, : min(MOST_READ, self.model.n_ctx)]
        last = torch.tensor([tokens.shape[1] - 1, tokens.shape[1] // 2])
        try:
            found = self._next(self.wide, tokens, last, nullcontext())[0]
        except Exception as error:  # whatever stops it, it keeps no keys and values of the kind
            raise self._unlike((str(error).splitlines() or [type(error).__name__])[0]) from error
        with torch.inference_mode():
            said = self.wide(input_ids=tokens.long(), use_cache=False).logits.float()
        expected = said[torch.arange(len(last)), last].log_softmax(-1)
        if not relative_error(found, expected) <= ALLOWED_ROUNDING[torch.float32]:
            raise self._unlike(f"relative error {relative_error(found, expected):.1e}")

    def _unlike(self, reason: str) -> NbkitError:
        return NbkitError(
            f"model {self.model.name!r}: the last token of a text by itself doesn't say what the whole text says "
            f"({reason[:100]}), so neurons can't be zeroed there; not supported"
        )
