"""What figures and explorers need of a neuron."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from jaxtyping import Float
from numpy import ndarray

from nbkit.atlas.seen import SeenImages
from nbkit.atlas.snippets import Snippet
from nbkit.method.clusters import FeatureClusters


class HasExamples(Protocol):
    """A neuron's n dataset examples as text or images, as vectors, and in clusters. `nbkit.Neuron` has them."""

    @property
    def layer(self) -> int: ...
    @property
    def index(self) -> int: ...
    @property
    def title(self) -> str: ...
    @property
    def pre_mlp(self) -> Float[ndarray, "n d"]: ...
    @property
    def seen(self) -> SeenImages | None: ...
    @property
    def snippets(self) -> Sequence[Snippet]: ...
    def embeddings(self, kind: str | None = ...) -> Float[ndarray, "n d"]: ...
    @property
    def weighed(self) -> str: ...
    def clusters(self, threshold: float | None = ..., kind: str | None = ...) -> FeatureClusters: ...
