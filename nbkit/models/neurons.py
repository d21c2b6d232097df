"""The MLP neurons of a language model as units: a site for each layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, overload

from jaxtyping import Float
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.models.hook_points import HookPoint
from nbkit.models.language_model import LanguageModel
from nbkit.models.site import Site
from nbkit.models.units import ModelUnits, Units
from nbkit.models.values import DenseValues
from nbkit.models.weights import NeuronWeights, input_weight


@dataclass(frozen=True, eq=False)
class MlpNeurons(ModelUnits):
    """The neurons of all layers of a model."""

    model: LanguageModel
    read: Literal["native", "folded"] = "native"
    """`native`: the MLP's input and weights as the model has them; `folded`: the layer norm folded into the weights."""

    @property
    def sites(self) -> tuple[Site, ...]:
        model = self.model
        return tuple(
            Site.of_neurons(layer, model.d_mlp, model.d_model, model.gated, model.activation)
            for layer in range(model.n_layers)
        )

    def weights(self, site: int) -> NeuronWeights:
        return self.model.neuron_weights(site, folded=self.read == "folded")

    def points(self, site: int) -> tuple[HookPoint, ...]:
        return self.model.mlp_points(site)

    def values(self, site: int, vectors: Sequence[Tensor]) -> tuple[Float[Tensor, "b t width"], DenseValues]:
        read, activations = vectors
        return read, DenseValues(activations)

    def received(self, site: int, vectors: Float[Tensor, "n width"]) -> Float[Tensor, "n width"]:
        if self.read == "native":
            return vectors
        norm = self.model.norm(site)
        return ((vectors.float() - norm.shift) / norm.scale).to(vectors.dtype)

    def written(self, site: int) -> Float[Tensor, "n_units d_model"] | None:
        end = self.model.unembedding
        if end is None:
            return None
        weights = input_weight(self.model.output_weights(site)).T.float()
        return weights * end.written[site].to(weights)


@overload
def units_of(thing: LanguageModel | ModelUnits, weights: Literal["native", "folded"] = "native") -> ModelUnits: ...


@overload
def units_of(thing: LanguageModel | Units, weights: Literal["native", "folded"] = "native") -> Units: ...


def units_of(thing: LanguageModel | Units, weights: Literal["native", "folded"] = "native") -> Units:
    """The MLP neurons of a language model; units of other kinds as they are.

    Args:
        weights: of neurons, see `MlpNeurons.read`.

    Raises:
        NbkitError: `weights` asks for what units of another kind don't have.
    """
    if isinstance(thing, LanguageModel):
        return MlpNeurons(thing, weights)
    if weights != (thing.read if isinstance(thing, MlpNeurons) else "native"):
        raise NbkitError("weights='folded' is for the MLP neurons of a model: give the model itself, or leave it out")
    return thing
