"""What an atlas is made with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from nbkit.errors import NbkitError
from nbkit.method.checks import LARGEST_SIZE, checked_choice, checked_number, checked_seed, checked_whole, shown
from nbkit.models.sign import SIGNS, Sign
from nbkit.models.site import CENTERED, CONTROLS, Site, embedding_kinds, paper_kind

if TYPE_CHECKING:
    from nbkit.models.units import Units


@dataclass(frozen=True)
class AtlasConfig:
    """What to scan for. Part of an atlas's identity."""

    layers: Literal["all"] | Sequence[int] = "all"
    """Numbers of the sites whose units are scanned, 0-based: of MLP neurons those of their layers."""
    threshold: float = 0.75
    """Share of the unit's maximum activation that a dataset example reaches, in (0, 1]."""
    max_examples: int = 100
    """Dataset examples kept for each unit: the first in corpus order."""
    weights: Literal["native", "folded"] = "native"
    """How the weights of MLP neurons are taken. `native`: the MLP's input and weights as the model has them; `folded`:
    the layer norm folded into the weights."""
    embedding: Literal["auto", "paper", "input", "gate", "up", "gradient", "centered"] = "auto"
    """Embedding of the metrics, clusters and similar features. `auto` is `centered`, the vector that is read minus its
    mean, without weights: its clusters, cut by chance, are nearer to known behaviors (the page Ground truth). `paper`
    is the paper's neuron embedding, cut at 0.5: `gradient` where a neuron is gated, and `input` otherwise."""
    batch_size: int = 16
    """Contexts in a forward pass. Rounding depends on it, so it is part of the identity."""
    block_size: int = 128
    """Contexts after which the state is safe on disk."""
    seed: int = 0
    """Seed of the shuffled-weights control."""
    sign: Sign = "positive"
    """Which activations are looked for: those above zero, those below, or `both`, by their absolute values (see
    `nbkit.models.sign`); maximum and threshold are of what is looked for."""

    def __post_init__(self) -> None:
        checked: dict[str, object] = {"seed": checked_seed(self.seed)}
        share = "it is a share of the maximum activation, in (0, 1]"
        checked["threshold"] = checked_number("threshold", self.threshold, share, 0, 1, "(]")
        for name in ("max_examples", "batch_size", "block_size"):
            checked[name] = checked_whole(name, getattr(self, name), 1, LARGEST_SIZE)
        for name, choices in (
            ("weights", ("native", "folded")),
            ("embedding", ("auto", "paper", "input", "gate", "up", "gradient", CENTERED)),
            ("sign", SIGNS),
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

    def resolved(self, units: Units) -> AtlasConfig:
        """This config with `all`, `auto` and `paper` replaced by what they mean for some units.

        Raises:
            NbkitError: a site or an embedding that the units don't have.
        """
        sites = {site.number: site for site in units.sites}
        layers = tuple(sites) if self.layers == "all" else self.numbers
        for layer in layers:
            if layer not in sites:
                raise NbkitError(
                    f"model {units.name!r} has no layer {layer}: its layers are 0 to {len(sites) - 1}"
                    if next(iter(sites.values())).unit == "neuron"
                    else f"there is no site {layer}: the sites are 0 to {len(sites) - 1}"
                )
        embedding = chosen_embedding(self.embedding, [sites[layer] for layer in layers], units.name)
        return replace(self, layers=layers, embedding=embedding)  # type: ignore[arg-type]


def chosen_embedding(embedding: str, sites: Sequence[Site], name: str) -> str:
    """The kind of embedding that `AtlasConfig.embedding` means for the units of some sites.

    Args:
        name: of the units.

    Raises:
        NbkitError: they don't have it.
    """
    own = tuple(kind for kind in embedding_kinds(sites) if kind not in CONTROLS)
    if embedding == "auto":
        return CENTERED
    if embedding == "paper":
        return paper_kind(own)
    if not isinstance(embedding, str) or embedding not in own:
        raise NbkitError(
            f"embedding {shown(embedding)} is not defined for the {sites[0].unit}s of {name!r}: choose {', '.join(own)}"
        )
    return embedding


def _checked_layers(layers: object) -> tuple[int, ...]:
    """The numbers of layers, each once, in order."""
    try:
        given = [] if isinstance(layers, str | bytes) else list(layers)  # type: ignore[call-overload]
    except TypeError:
        given = []
    if not given:
        raise NbkitError(f"layers is {shown(layers)}: give 'all' or layer numbers")
    return tuple(sorted({checked_whole("a number in layers", layer) for layer in given}))
