"""Units of several sources in one atlas: the neurons of a language model beside the latents of its autoencoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from jaxtyping import Float
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.models import LanguageModel
from nbkit.models.hook_points import HookPoint
from nbkit.models.neurons import units_of
from nbkit.models.site import Site
from nbkit.models.units import ModelUnits
from nbkit.models.values import Values
from nbkit.models.weights import NeuronWeights


@dataclass(frozen=True, eq=False)
class Together(ModelUnits):
    """Units of several sources of one model. Made by `nbkit.join_units`."""

    model: LanguageModel
    """The model that they are in."""
    sources: tuple[ModelUnits, ...]
    """What they are from, in the order of their sites' numbers."""

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """The sites of all sources, counted through."""
        all_sites = [site for source in self.sources for site in source.sites]
        return tuple(replace(site, number=number) for number, site in enumerate(all_sites))

    def weights(self, site: int) -> NeuronWeights:
        """See `Units.weights`."""
        source, number = self._found(site)
        return source.weights(number)

    def points(self, site: int) -> tuple[HookPoint, ...]:
        """See `Units.points`."""
        source, number = self._found(site)
        return source.points(number)

    def values(self, site: int, vectors: Sequence[Tensor]) -> tuple[Float[Tensor, "b t width"], Values]:
        """See `Units.values`."""
        source, number = self._found(site)
        return source.values(number, vectors)

    def received(self, site: int, vectors: Float[Tensor, "n width"]) -> Float[Tensor, "n width"]:
        """See `Units.received`."""
        source, number = self._found(site)
        return source.received(number, vectors)

    def written(self, site: int) -> Float[Tensor, "n_units d_model"] | None:
        """See `Units.written`."""
        source, number = self._found(site)
        return source.written(number)

    def _found(self, site: int) -> tuple[ModelUnits, int]:
        """The source of a site, and the site's number there."""
        for source in self.sources:
            if site < len(source.sites):
                return source, source.sites[site].number
            site -= len(source.sites)
        raise IndexError(site)


def join_units(*sources: LanguageModel | ModelUnits) -> Together:
    """Units of several sources, for one atlas of them all: `join_units(model, sae_latents(model, saes))`.

    The sites are counted through: the model's layers keep their numbers if the model comes first.

    Args:
        sources: a language model, whose MLP neurons are meant, or what `nbkit.sae_latents` makes; all of one model.

    Raises:
        NbkitError: there is none, one is something else, or they are of several models.
    """
    for source in sources:
        if not isinstance(source, LanguageModel | ModelUnits):
            raise NbkitError(
                f"a source is of type {type(source).__name__}: give models and what nbkit.sae_latents makes"
            )
    units = tuple(units_of(source) for source in sources)
    if not units:
        raise NbkitError("there are no units to join: give a model, or what nbkit.sae_latents makes")
    for one in units[1:]:
        if one.model.fingerprint != units[0].model.fingerprint:
            raise NbkitError(f"units of two models, {units[0].model.name} and {one.model.name}, share no atlas")
    return Together(units[0].model, units)
