"""A place in a model whose units read the same vector, such as a layer of MLP neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Site:
    """The units that read one vector of a model."""

    number: int
    """In tables and names: of neurons that of their layer, 0-based."""
    name: str
    """Of the place in the model: `blocks.12.mlp`, or a hook point (see `LanguageModel.hook_point`)."""
    unit: str
    """What one of them is called: `neuron` or `latent`."""
    n_units: int
    width: int
    """Of the vectors that they read."""
    gated: bool
    """Whether they read by two rows of weights, as the neurons of Llama's MLPs."""
    activation: str
    """Name of the function that gives an active unit's activation, as `transformers` knows it: `linear` where a unit
    that passes, by whatever rule, gives its pre-activation."""
    reads: str
    """Which vector the weights receive, in words."""
    rule: str = ""
    """Which latents pass, in words."""
    source: str = field(default="", compare=False)
    """What the autoencoder is called whose latents they are, wherever it lies: its weights make it what it is. Empty
    for a model's own neurons."""
    sha256: str = ""
    """Of the autoencoder's weights."""

    @classmethod
    def of_neurons(cls, layer: int, n_units: int, width: int, gated: bool, activation: str) -> Site:
        """The MLP neurons of a layer."""
        return cls(layer, f"blocks.{layer}.mlp", "neuron", n_units, width, gated, activation, "the MLP's input")

    @property
    def label(self) -> str:
        """A short name: `L12`, a layer of neurons, or `S0`."""
        return f"{'L' if self.unit == 'neuron' else 'S'}{self.number}"

    @property
    def title(self) -> str:
        """A name in words."""
        return f"layer {self.number}" if self.unit == "neuron" else f"{self.label} ({self.name})"

    def titled(self, index: int) -> str:
        """What a unit is called in a title: `Layer 12, neuron 521` or `S0 (blocks.12.hook_resid_post), latent 521`."""
        return f"{self.title[0].upper()}{self.title[1:]}, {self.unit} {index}"

    def named(self, index: int) -> str:
        """What a unit is called: `L12 N521` or `S0 #521`."""
        return f"{self.label} {'N' if self.unit == 'neuron' else '#'}{index}"


CENTERED = "centered"
"""Kind of embedding: the vector minus the mean of what the units of a site receive, without weights."""
CONTROLS = ("pre_mlp", "shuffled")
"""Kinds of embedding to compare others with: the vector by itself, and with another unit's weights."""


def embedding_kinds(sites: Sequence[Site]) -> tuple[str, ...]:
    """The kinds of embedding that all units of some sites have; one that is alone at its site has no `shuffled`."""
    gated = {site.gated for site in sites}
    own = () if len(gated) > 1 else ("gate", "up") if gated == {True} else ("input",)
    alone = any(site.n_units == 1 for site in sites)
    return (*own, "gradient", CENTERED, *(CONTROLS[:1] if alone else CONTROLS))


def paper_kind(kinds: Sequence[str]) -> str:
    """The paper's kind of `embedding_kinds`: equation 1, and where there are two rows of weights the gradient."""
    return "input" if "input" in kinds else "gradient"


def compared_kind(embedding: str, kinds: Sequence[str]) -> str:
    """The kind of `embedding_kinds` that an atlas's embedding is held against: the vector by itself; of `centered`,
    which is near to that, the paper's."""
    return paper_kind(kinds) if embedding == CENTERED else CONTROLS[0]
