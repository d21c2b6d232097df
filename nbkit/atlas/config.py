"""What an atlas is made with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from nbkit.errors import NbkitError
from nbkit.method.checks import MOST, checked_choice, checked_number, checked_seed, checked_whole, shown

if TYPE_CHECKING:
    from nbkit.models import LanguageModel


@dataclass(frozen=True)
class AtlasConfig:
    """What to scan for. Part of an atlas's identity."""

    layers: Literal["all"] | Sequence[int] = "all"
    """Layers whose MLP neurons are scanned, 0-based."""
    threshold: float = 0.75
    """Share of the neuron's maximum activation that a dataset example reaches, in (0, 1]."""
    max_examples: int = 100
    """Dataset examples kept for each neuron: the first in corpus order."""
    weights: Literal["native", "folded"] = "native"
    """`native`: the MLP's input and weights as the model has them; `folded`: the layer norm folded into the weights."""
    embedding: Literal["auto", "input", "gate", "up", "gradient"] = "auto"
    """Neuron embedding of the metrics: `auto` is `input` for a plain MLP and `gradient` for a gated one."""
    batch_size: int = 16
    """Contexts in a forward pass. Rounding depends on it, so it is part of the identity."""
    block_size: int = 128
    """Contexts after which the state is safe on disk."""
    seed: int = 0
    """Seed of the shuffled-weights control."""

    def __post_init__(self) -> None:
        checked: dict[str, object] = {"seed": checked_seed(self.seed)}
        share = "it is a share of the maximum activation, in (0, 1]"
        checked["threshold"] = checked_number("threshold", self.threshold, share, 0, 1, "(]")
        for name in ("max_examples", "batch_size", "block_size"):
            checked[name] = checked_whole(name, getattr(self, name), 1, MOST)
        for name, choices in (
            ("weights", ("native", "folded")),
            ("embedding", ("auto", "input", "gate", "up", "gradient")),
        ):
            checked[name] = checked_choice(name, getattr(self, name), choices)
        if not isinstance(self.layers, str) or self.layers != "all":
            checked["layers"] = _checked_layers(self.layers)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The layers of a resolved config."""
        assert self.layers != "all"
        return tuple(int(layer) for layer in self.layers)

    def resolved(self, model: LanguageModel) -> AtlasConfig:
        """This config with `all` and `auto` replaced by what they mean for `model`.

        Raises:
            NbkitError: a layer or an embedding that the model doesn't have.
        """
        layers = tuple(range(model.n_layers)) if self.layers == "all" else self.numbers
        for layer in layers:
            if not 0 <= layer < model.n_layers:
                raise NbkitError(f"model {model.name!r} has no layer {layer}: its layers are 0 to {model.n_layers - 1}")
        embedding = self.embedding
        if embedding == "auto":
            embedding = "gradient" if model.gated else "input"
        if (embedding in ("gate", "up") and not model.gated) or (embedding == "input" and model.gated):
            kinds = "gate, up, gradient" if model.gated else "input, gradient"
            raise NbkitError(
                f"embedding {embedding!r} is not defined for the neurons of {model.name!r}: choose {kinds}"
            )
        return replace(self, layers=layers, embedding=embedding)


def _checked_layers(layers: object) -> tuple[int, ...]:
    """The numbers of layers, each once, in order."""
    try:
        given = [] if isinstance(layers, str | bytes) else list(layers)  # type: ignore[call-overload]
    except TypeError:
        given = []
    if not given:
        raise NbkitError(f"layers is {shown(layers)}: give 'all' or layer numbers")
    return tuple(sorted({checked_whole("a number in layers", layer) for layer in given}))
