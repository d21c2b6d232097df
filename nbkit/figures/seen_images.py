"""Examples that are images, in a row: the whole one with what the unit sees outlined, that enlarged, and the label."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from nbkit.atlas.seen import SeenImages
from nbkit.atlas.snippets import Snippet
from nbkit.figures.palette import CLUSTER_COLORS, QUIET
from nbkit.figures.text import drawable

SEEN_SIDE = 30.0
"""The longer side of an image, in points."""
ROW = SEEN_SIDE + 13.0
"""The height of a row, in points: the label stands below its image."""
OUTLINE = CLUSTER_COLORS[1]
"""Around what the unit sees: that of the explorers is an orange, too."""
BETWEEN, APART = 2.0, 10.0


def draw_images(
    page: Axes, snippets: Sequence[Snippet], seen: SeenImages, left: float, right: float, top: float
) -> None:
    """Draw a row of examples, as many as there is room for.

    Args:
        page: its coordinates are points, downwards.
        snippets: where the examples are, and their labels.
        seen: the images.
        left, right, top: of the row.
    """
    each = SEEN_SIDE if seen.boxes is None else 2 * SEEN_SIDE + BETWEEN
    for snippet in snippets[: int((right - left + APART) // (each + APART))]:
        image, box = seen.images[snippet.context], seen.box(snippet.position)
        height, width = image.shape[:2]
        scale = SEEN_SIDE / max(height, width)
        _show(page, image, left, top, scale)
        page.text(left, top + SEEN_SIDE + 7, drawable(snippet.key_token), size=6.5, color=QUIET)
        tall, wide = box.bottom - box.top, box.right - box.left
        if tall < height or wide < width:
            corner = left + scale * box.left, top + scale * box.top
            page.add_patch(Rectangle(corner, scale * wide, scale * tall, fill=False, edgecolor=OUTLINE, linewidth=1.0))
            left += scale * width + BETWEEN
            scale *= min(height / tall, width / wide)
            image = image[box.top : box.bottom, box.left : box.right]
            _show(page, image, left, top, scale)
        left += scale * image.shape[1] + APART


def _show(page: Axes, image: UInt8[np.ndarray, "h w ..."], left: float, top: float, scale: float) -> None:
    bottom, right = top + scale * image.shape[0], left + scale * image.shape[1]
    extent = (left, right, bottom, top)
    page.imshow(image, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto", interpolation="nearest")
