"""What a source of units must tell, so that the scan and all behind it serve units of any kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nbkit.assets import ASSETS
from nbkit.models.capturing import Tokens
from nbkit.models.hook_points import HookPoint, hooked
from nbkit.models.language_model import LanguageModel
from nbkit.models.logits import direct_unembedding, logit_effects
from nbkit.models.site import Site
from nbkit.models.values import Values
from nbkit.models.vocabulary import vocabulary_table
from nbkit.models.weights import NeuronWeights

Capture = Callable[[int, Float[Tensor, "b t width"], Values], None]
"""Takes a site's number, the vectors at it, and its units' activations."""
Read = Callable[[Tokens, slice], None]
"""Reads some of the contexts."""


@runtime_checkable
class Units(Protocol):
    """Units, site by site: whatever reads a vector by weights at the positions of some inputs."""

    @property
    def name(self) -> str:
        """What the model is called that they are in."""

    @property
    def fingerprint(self) -> str:
        """sha256 of what makes the model what it is."""

    @property
    def checkpoint(self) -> str:
        """Which of the model's checkpoints it is, where the name doesn't tell."""

    @property
    def kind(self) -> str:
        """What the inputs are: `text` of the model's tokens, or what `read_inputs` knows."""

    @property
    def dtype(self) -> torch.dtype:
        """Of activations."""

    @property
    def device(self) -> torch.device:
        """Where they are computed."""

    @property
    def sites(self) -> tuple[Site, ...]:
        """The places that they are at, in the order of their numbers."""

    def weights(self, site: int) -> NeuronWeights:
        """The weights with which a site's units read the vectors of `received`."""

    def received(self, site: int, vectors: Float[Tensor, "n width"]) -> Float[Tensor, "n width"]:
        """What the weights receive, given vectors that `reading` handed over."""

    def check_contexts(self, contexts: object) -> None:
        """Raises NbkitError unless these are inputs that the model reads."""

    def reading(self, sites: Sequence[int], capture: Capture) -> AbstractContextManager[Read]:
        """Gives a function that reads some of the contexts and hands every site's units to `capture`, once a site."""

    def token_names(self, ids: Sequence[int]) -> list[str]:
        """What the vocabulary calls some tokens."""

    def vocabulary(self, ids: Int[np.ndarray, " n_ids"]) -> pd.DataFrame:
        """The tokens of some ids as a table: see `vocabulary_table`."""

    @property
    def pictures(self) -> Mapping[str, Tensor]:
        """Where the inputs are images, these as `images`, uint8, (n, height, width) or with 3 colors behind; and of
        sites of which every position sees a part of the image, that as `boxes.<number>`, (positions, 4): top, left,
        bottom and right."""

    def logit_effects(self) -> Callable[[int], dict[str, Tensor]]:
        """Gives a function that tells what a site's units do to the logits: see `nbkit.models.logits.logit_effects`;
        nothing if that isn't known."""


class ModelUnits(ABC):
    """Units of a language model: its MLP neurons, or the latents of autoencoders on it. As `Units` has it."""

    model: LanguageModel
    """The language model that they are in."""
    kind: ClassVar[str] = "text"
    """Kind of the inputs: text of the model's tokens."""
    pictures: ClassVar[Mapping[str, Tensor]] = MappingProxyType({})
    """Images of the inputs: none, since these are text."""

    @property
    @abstractmethod
    def sites(self) -> tuple[Site, ...]:
        """The places in the model that the units are at, in the order of their numbers."""

    @abstractmethod
    def weights(self, site: int) -> NeuronWeights:
        """The weights with which a site's units read."""

    @abstractmethod
    def received(self, site: int, vectors: Float[Tensor, "n width"]) -> Float[Tensor, "n width"]:
        """What the weights of a site's units receive of the vectors there."""

    @abstractmethod
    def points(self, site: int) -> tuple[HookPoint, ...]:
        """The hook points that tell what a site's units read and how active they are."""

    @abstractmethod
    def values(self, site: int, vectors: Sequence[Tensor]) -> tuple[Float[Tensor, "b t width"], Values]:
        """The vectors that a site's units read, (b, t, width), and the units' activations, of what is at its points."""

    @abstractmethod
    def written(self, site: int) -> Float[Tensor, "n_units d_model"] | None:
        """What each unit adds to the residual stream at an activation of 1; None if its way there isn't direct."""

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.model.name

    @property
    def fingerprint(self) -> str:
        """sha256 of the model's weights."""
        return self.model.fingerprint

    @property
    def checkpoint(self) -> str:
        """Which of the model's checkpoints it is, where the name doesn't tell."""
        return ASSETS[self.name].checkpoint if self.name in ASSETS else ""

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the model, and of activations."""
        return self.model.dtype

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self.model.device

    def check_contexts(self, contexts: object) -> None:
        """Raises NbkitError unless these are contexts of the model's tokens."""
        self.model.check_contexts(contexts)

    @contextmanager
    def captured(self, sites: Sequence[int], capture: Capture) -> Iterator[Callable[..., None]]:
        """Gives a function that runs tokens through the model and hands every site's units to `capture`.

        The function takes the token ids, (b, t), and by name what else the Hugging Face model shall be given. `capture`
        is called once a site, as soon as it is reached. The pass ends after the last of them.
        """
        points = [(site, point) for site in sites for point in self.points(site)]
        arrived: dict[int, list[Tensor | None]] = {}

        def take(number: int, vectors: Tensor) -> None:
            site = points[number][0]
            first = next(i for i, (other, _) in enumerate(points) if other == site)
            there = arrived.setdefault(site, [None] * len(self.points(site)))
            there[number - first] = vectors
            complete = [each for each in there if each is not None]
            if len(complete) == len(there):
                del arrived[site]
                capture(site, *self.values(site, complete))

        with hooked(self.model.network, self.device, [point for _, point in points], take) as run:
            yield run

    @contextmanager
    def reading(self, sites: Sequence[int], capture: Capture) -> Iterator[Read]:
        """Gives a function that reads some of the contexts and hands every site's units to `capture`, once a site."""
        with self.captured(sites, capture) as run:
            yield lambda contexts, some: run(torch.tensor(contexts.tokens[some]))

    def token_names(self, ids: Sequence[int]) -> list[str]:
        """What the vocabulary calls some tokens."""
        names: list[str] = self.model.tokenizer.convert_ids_to_tokens(list(ids))
        return names

    def vocabulary(self, ids: Int[np.ndarray, " n_ids"]) -> pd.DataFrame:
        """The tokens of some ids as a table (see `vocabulary_table`)."""
        return vocabulary_table(self.model.tokenizer, ids)

    def logit_effects(self) -> Callable[[int], dict[str, Tensor]]:
        """Gives a function that tells what a site's units do to the logits; nothing where that isn't direct."""
        unembedding = direct_unembedding(self.model)

        def of_site(site: int) -> dict[str, Tensor]:
            if unembedding is None or (written := self.written(site)) is None:
                return {}
            return logit_effects(written, unembedding, self.model.token_ids)

        return of_site
