"""The live neuron: a dendrogram on one screen, whose cut moves once by itself from 1 to where it rests."""

from __future__ import annotations

import anywidget
import traitlets

from nbkit.atlas.examples import HasExamples
from nbkit.errors import NbkitError
from nbkit.explorers.dendrogram.dendrogram import explorer_data
from nbkit.explorers.shared.bundle import module_text, style_text
from nbkit.explorers.shared.threshold import Threshold

LIVE_NEAR = (12, 6)
"""Tokens before and after the key token that a line has room for."""


class LiveNeuron(anywidget.AnyWidget):
    """A neuron that falls apart into its feature clusters: the cut through its tree moves from 1 to its resting place,
    once, when the reader first sees it. The reader can move the cut, and play it again.

    `threshold` is the distance of the cut, in (0, 1]. It can be read, set and linked from Python, and follows the
    handle in JupyterLab.
    """

    _esm = module_text("live_neuron/live_neuron.js")
    _css = style_text("shared/explorer.css", "shared/cluster-view.css", "live_neuron/live_neuron.css")

    data = traitlets.Unicode().tag(sync=True)
    """The tree and the examples as JSON (see `explorer_data`)."""
    threshold = Threshold(0.5).tag(sync=True)
    """The distance at which the tree is cut."""

    def __init__(self, neuron: HasExamples, threshold: float | None = None) -> None:
        """Show `neuron` falling apart until it is cut at `threshold`; None for its own cut (see `Neuron.cut`).

        Raises:
            NbkitError: the threshold is outside (0, 1], or the neuron has no examples or sees images.
        """
        if neuron.seen is not None:
            raise NbkitError(f"{neuron.title} sees images, and LiveNeuron shows text: take DendrogramExplorer.")
        clusters = neuron.clusters(threshold)
        super().__init__(data=explorer_data(neuron, clusters, LIVE_NEAR), threshold=clusters.threshold)
