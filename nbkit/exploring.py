"""One call that opens the explorer of whatever there is to explore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbkit.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.explorers import AtlasExplorer, LatentExplorer
from nbkit.explorers.atlas import check_model
from nbkit.explorers.atlas_shards import make_parts
from nbkit.hidden import Hidden
from nbkit.report import SaeReport

if TYPE_CHECKING:
    from nbkit.models import LanguageModel


def explore(
    thing: Atlas | SaeReport,
    model: LanguageModel | Hidden | None = None,
    layer: int | None = None,
    neuron: int | None = None,
    threshold: float = 0.5,
) -> AtlasExplorer | LatentExplorer:
    """The explorer of an atlas, or of a report on a sparse autoencoder of the MNIST models.

    What an atlas lacks of the explorer's data (features, similar features, phrases) is made first and kept in its
    folder.

    Args:
        thing: an atlas; or a report of `nbkit.mnist_explorer.report_on`.
        model: of an atlas its language model, if token importance is wanted of any example; of a report the MLP's
            hidden layer (`nbkit.hidden.hidden_of`), without which the browser could compute no activations.
        layer, neuron: the neuron to begin with; of a report only `neuron`, the number of a latent.
        threshold: distance in (0, 1] at which an atlas's trees are cut. A report has its own.

    Raises:
        NbkitError: there is no explorer of such a thing, the model is another one, there is no such neuron, or the
            threshold is no distance.
    """
    if isinstance(thing, Atlas):
        if isinstance(model, Hidden):
            raise NbkitError("The model of an atlas is a language model: give what nbkit.load_model returns.")
        if model is not None:
            check_model(model, thing)  # before anything is made
        make_parts(thing)
        return AtlasExplorer(thing, model, layer, neuron, threshold)
    if isinstance(thing, SaeReport):
        if not isinstance(model, Hidden):
            raise NbkitError(
                "A report holds no images and no classifier: give `model`, the hidden layer that it is about "
                "(nbkit.hidden.hidden_of)."
            )
        if layer is not None:
            raise NbkitError("A report is about one layer: give `neuron` alone, the number of a latent.")
        from nbkit.mnist_explorer import explore_report

        return explore_report(thing, model, neuron or 0)
    raise NbkitError(f"There is no explorer of a {type(thing).__name__}: give an Atlas or a SaeReport.")
