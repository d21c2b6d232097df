"""What a source of units must tell, so that the scan and all behind it serve units of any kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from nbkit.models.hook_points import HookPoint, hooked
from nbkit.models.language_model import LanguageModel
from nbkit.models.site import Site
from nbkit.models.values import Values
from nbkit.models.weights import NeuronWeights

Capture = Callable[[int, Float[Tensor, "b t width"], Values], None]
"""Takes a site's number, the vectors at it, and its units' activations."""


@runtime_checkable
class Units(Protocol):
    """Units of a language model, site by site: its MLP neurons, or the latents of autoencoders on it."""

    @property
    def model(self) -> LanguageModel:
        """The language model that they are in."""

    @property
    def sites(self) -> tuple[Site, ...]:
        """The places that they are at, in the order of their numbers."""

    def weights(self, site: int) -> NeuronWeights:
        """The weights with which a site's units read the vectors of `received`."""

    def points(self, site: int) -> tuple[HookPoint, ...]:
        """The hook points that tell what a site's units read and how active they are."""

    def values(self, site: int, vectors: Sequence[Tensor]) -> tuple[Float[Tensor, "b t width"], Values]:
        """Of the vectors at these points those that the units read, and their activations."""

    def received(self, site: int, vectors: Float[Tensor, "n width"]) -> Float[Tensor, "n width"]:
        """What the weights receive, given vectors that `values` said are read."""

    def written(self, site: int) -> Float[Tensor, "n_units d_model"] | None:
        """What each unit adds to the residual stream at an activation of 1; None if its way there isn't direct."""


@contextmanager
def captured(units: Units, sites: Sequence[int], capture: Capture) -> Iterator[Callable[..., None]]:
    """Gives a function that runs tokens through the model and hands every site's units to `capture`.

    The function takes the token ids, (b, t), and by name what else the Hugging Face model shall be given. `capture` is
    called once a site, as soon as it is reached. The pass ends after the last of them.
    """
    points = [(site, point) for site in sites for point in units.points(site)]
    arrived: dict[int, list[Tensor | None]] = {}

    def take(number: int, vectors: Tensor) -> None:
        site = points[number][0]
        first = next(i for i, (other, _) in enumerate(points) if other == site)
        there = arrived.setdefault(site, [None] * len(units.points(site)))
        there[number - first] = vectors
        complete = [each for each in there if each is not None]
        if len(complete) == len(there):
            del arrived[site]
            capture(site, *units.values(site, complete))

    with hooked(units.model.network, units.model.device, [point for _, point in points], take) as run:
        yield run
