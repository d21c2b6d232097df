"""One call that opens the explorer of whatever there is to explore."""

from __future__ import annotations

from collections.abc import Sequence

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.explorers import AtlasExplorer, LatentExplorer
from nbkit.explorers.atlas.atlas import checked_units
from nbkit.explorers.atlas.shards import make_parts
from nbkit.method.checks import checked_whole
from nbkit.method.clusters import check_threshold
from nbkit.mnist.hidden import Hidden
from nbkit.mnist.reports import HIDDEN_NAME, latent_view
from nbkit.mnist.view import LatentView, MlpWeights
from nbkit.models import LanguageModel
from nbkit.models.units import ModelUnits
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.report import SaeReport


def explore(
    thing: Atlas | SaeReport,
    model: LanguageModel | ModelUnits | Hidden | None = None,
    layer: int | None = None,
    neuron: int | None = None,
    threshold: float | None = None,
) -> AtlasExplorer | LatentExplorer:
    """The explorer of an atlas, or of a report on a sparse autoencoder of the MNIST models.

    What an atlas lacks of the explorer's data (features, similar features, phrases) is made first and kept in its
    folder.

    Args:
        thing: an atlas; or a report of `nbkit.mnist.reports.report_on`.
        model: of an atlas of text its language model, or its latents (`nbkit.sae_latents`), for token importance of any
            example and for a text of one's own; of a report the MLP's hidden layer (`nbkit.mnist.hidden.hidden_of`),
            without which the browser could compute no activations.
        layer, neuron: the neuron to begin with; of a report only `neuron`, the number of a latent.
        threshold: distance in (0, 1] at which an atlas's trees are cut; None for the usual one of its embedding, 0.5
            of the paper's. A report has its own.

    Raises:
        NbkitError: there is no explorer of such a thing, the model is another one, there is no such neuron, or the
            threshold is no distance.
    """
    if layer is not None:
        layer = checked_whole("layer", layer)
    if neuron is not None:
        neuron = checked_whole("neuron", neuron)
    if threshold is not None:
        check_threshold(threshold)
        threshold = float(threshold)
    if isinstance(thing, Atlas):
        units = None if model is None else checked_units(model, thing)  # before anything is made
        make_parts(thing)
        return AtlasExplorer(thing, units, layer, neuron, threshold)
    if isinstance(thing, SaeReport):
        if not isinstance(model, Hidden):
            raise NbkitError(
                "A report holds no images and no classifier: give `model`, the hidden layer that it is about "
                "(nbkit.mnist.hidden.hidden_of)."
            )
        if layer is not None:
            raise NbkitError("A report is about one layer: give `neuron` alone, the number of a latent.")
        return explore_report(thing, model, neuron or 0)
    raise NbkitError(f"There is no explorer of a {type(thing).__name__}: give an Atlas or a SaeReport.")


def explore_report(report: SaeReport, hidden: Hidden, unit: int = 0) -> LatentExplorer:
    """The latents of one autoencoder of the hidden layer, or the hidden neurons, by the report on them.

    Args:
        report: see `report_on`.
        hidden: the MLP that the report is about.
        unit: the latent or neuron to begin with.

    Raises:
        NbkitError: the report is about something else, the autoencoder is not a ReLU one, or there is no such unit.
    """
    sae = None if report.encoder is hidden.mlp else report.encoder
    read = hidden.test_pixels.shape if sae is None else hidden.test.shape
    if not (sae is None or isinstance(sae, SparseAutoencoder)) or report.shape != tuple(read):
        raise NbkitError(
            f"This report is not about the {hidden.test.shape[1]} hidden neurons of this MLP or an autoencoder of "
            "them: take one of nbkit.mnist.reports.report_on."
        )
    name = HIDDEN_NAME if sae is None else "Sparse autoencoder"
    return explore_views(hidden, [latent_view(name, hidden, report, sae)], 0, unit)


def explore_views(hidden: Hidden, views: Sequence[LatentView], view: int = 0, unit: int = 0) -> LatentExplorer:
    """Every unit of some views of the MNIST models, sortable by any metric.

    Args:
        hidden: the MLP that they are about.
        views: see `latent_view`; that of the hidden layer can be among them.
        view: the one to begin with.
        unit: of it, the neuron or latent to begin with.

    Raises:
        NbkitError: a view or unit does not exist.
    """
    into, out = hidden.mlp.into, hidden.mlp.out
    mlp = MlpWeights(into.weight.T.numpy(), into.bias.numpy(), out.weight.T.numpy(), out.bias.numpy())
    return LatentExplorer(views, mlp, hidden.test_pixels.numpy(), hidden.test_labels.numpy(), view, unit)
