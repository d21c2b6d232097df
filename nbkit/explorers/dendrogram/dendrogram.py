"""The live dendrogram: a threshold handle that re-cuts the tree and regroups the examples in the browser."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import anywidget
import traitlets

from nbkit.atlas.examples import HasExamples
from nbkit.atlas.seen import SeenImages
from nbkit.atlas.snippets import Snippet
from nbkit.explorers.shared.bundle import module_text, style_text
from nbkit.explorers.shared.page_json import page_json
from nbkit.explorers.shared.threshold import Threshold
from nbkit.method.clusters import FeatureClusters, node_medoids
from nbkit.units.inputs import UNNAMED


class DendrogramExplorer(anywidget.AnyWidget):
    """A neuron's examples as a tree that the reader cuts where they like; the groups follow, no kernel needed.

    `threshold` is the distance of the cut, in (0, 1]. It can be read, set and linked from Python, and follows the
    handle in JupyterLab.
    """

    _esm = module_text("dendrogram/dendrogram.js")
    _css = style_text("shared/explorer.css", "shared/cluster-view.css")

    data = traitlets.Unicode().tag(sync=True)
    """The tree and the examples as JSON (see `explorer_data`)."""
    threshold = Threshold(0.5).tag(sync=True)
    """The distance at which the tree is cut."""

    def __init__(self, neuron: HasExamples, threshold: float | None = None) -> None:
        """Show `neuron` cut at `threshold`; None for its own cut (see `Neuron.cut`).

        Raises:
            NbkitError: the threshold is outside (0, 1] or the neuron has no examples.
        """
        clusters = neuron.clusters(threshold)
        super().__init__(data=explorer_data(neuron, clusters), threshold=clusters.threshold)


def explorer_data(neuron: HasExamples, clusters: FeatureClusters, near: tuple[int, int] | None = None) -> str:
    """Return the JSON that `dendrogram.js` draws.

    Tokens are written once and referred to by number; activations keep three significant digits, heights all. The
    text is ASCII without `<`, so that no program that puts it into a page can be broken by a token.

    Args:
        neuron: whose examples are shown.
        clusters: of them.
        near: how many tokens before and after the key token are sent, at most; None for all.
    """
    snippets = [_shown_part(snippet, near) for snippet in neuron.snippets]
    vocabulary: dict[tuple[str, int | None], int] = {}  # key tokens of different words are told apart

    def places(snippet: Snippet) -> list[int]:
        words = [snippet.key_word if i == snippet.key else None for i in range(len(snippet.tokens))]
        return [vocabulary.setdefault(name, len(vocabulary)) for name in zip(snippet.tokens, words, strict=True)]

    tokens = [places(snippet) for snippet in snippets]
    payload = {
        "title": neuron.title,
        "sign": snippets[0].sign,
        "pairs": clusters.linkage[:, :2].astype(int).ravel().tolist(),
        "heights": clusters.linkage[:, 2].tolist(),
        "medoids": node_medoids(clusters),
        "vocabulary": [text for text, _ in vocabulary],
        "tokens": tokens,
        "activations": [[float(f"{value:.3g}") for value in s.activations] for s in snippets],
        "keys": [s.key for s in snippets],
        "contexts": [s.context for s in snippets],
        "positions": [s.position for s in snippets],
    }
    return page_json(payload if neuron.seen is None else payload | _pictures(neuron.seen, snippets))


def _pictures(seen: SeenImages, snippets: Sequence[Snippet]) -> dict[str, Any]:
    """What pictures.js is told: the examples' images, their bytes in base64, and where a unit sees a part of them
    that part at each of their positions, as four numbers from four times the position on."""
    _, height, width, *channels = seen.images.shape
    labeled = any(snippet.key_token != UNNAMED for snippet in snippets)
    about = {"height": height, "width": width, "channels": channels[0] if channels else 1, "labeled": labeled}
    images = seen.of([snippet.context for snippet in snippets])
    known = {context: b64encode(image.tobytes()).decode() for context, image in images.items()}
    found: dict[str, Any] = {"images": {**about, "known": known}}
    if seen.boxes is not None:
        positions = {snippet.position for snippet in snippets}
        found["boxes"] = {4 * at + i: side for at in sorted(positions) for i, side in enumerate(seen.box(at))}
    return found


def _shown_part(snippet: Snippet, near: tuple[int, int] | None) -> Snippet:
    """The snippet near its key token; whoever made it, nothing in it is hidden."""
    first, end = (0, None) if near is None else (max(0, snippet.key - near[0]), snippet.key + near[1] + 1)
    tokens, activations = snippet.tokens[first:end], snippet.activations[first:end]
    key = snippet.key - first
    return Snippet.of(tokens, activations, key, snippet.context, snippet.position, snippet.key_word, snippet.sign)
