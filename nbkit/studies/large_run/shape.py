"""What the costs of a model grow with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_whole

if TYPE_CHECKING:
    from nbkit.models import LanguageModel


@dataclass(frozen=True)
class Shape:
    """Sizes of a transformer."""

    name: str
    n_layers: int
    d_model: int
    """Width of the vectors that its neurons read."""
    d_mlp: int
    """Neurons of a layer."""
    n_parameters: int
    """Of its blocks: a token is multiplied by each; the embedding is looked up, and the scan needs no unembedding."""
    d_vocabulary: int

    def __post_init__(self) -> None:
        for name in ("n_layers", "d_model", "d_mlp", "n_parameters", "d_vocabulary"):
            object.__setattr__(self, name, checked_whole(name, getattr(self, name), 1))

    @classmethod
    def of(cls, model: LanguageModel) -> Shape:
        """That of a language model."""
        n_parameters = sum(each.numel() for block in model.blocks for each in block.parameters())
        name = model.name.rstrip("/").rpartition("/")[2]
        return cls(name, model.n_layers, model.d_model, model.d_mlp, n_parameters, model.d_vocabulary)

    @property
    def n_neurons(self) -> int:
        """Of all layers."""
        return self.n_layers * self.d_mlp

    @property
    def n_weights(self) -> int:
        """All that a worker loads: blocks, embedding and unembedding."""
        return self.n_parameters + 2 * self.d_vocabulary * self.d_model


def shape_of(sizes: dict[str, object]) -> Shape:
    """The shape that a page's parameters name.

    Args:
        sizes: the fields of `Shape`.

    Raises:
        NbkitError: a field is missing, unknown, or no positive whole number.
    """
    try:
        return Shape(**sizes)  # type: ignore[arg-type]  # which it checks
    except TypeError as error:
        fields = ", ".join(Shape.__dataclass_fields__)
        raise NbkitError(f"the sizes of a model are {', '.join(sizes) or 'missing'}: give {fields}") from error
