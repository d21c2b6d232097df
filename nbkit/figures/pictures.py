"""Pictures in a figure: gray ones as ink on paper, and maps of what raises and what lowers."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from nbkit.figures.palette import QUIET

NEGATIVE, POSITIVE = "#1e73c8", "#c95416"
"""The colors of the explorer's maps."""
SIGNED = LinearSegmentedColormap.from_list("signed", [NEGATIVE, "#ffffff", POSITIVE])


def show_gray(ax: Axes, image: Float[np.ndarray, "h w"]) -> None:
    """An image in [0, 1], 1 as ink."""
    ax.imshow(image, cmap="gray_r", vmin=0.0, vmax=1.0)
    _frame(ax)


def show_signed(ax: Axes, values: Float[np.ndarray, "h w"], reach: float) -> None:
    """Numbers from -`reach` to `reach`, or any where that is 0."""
    reach = reach or 1.0
    ax.imshow(values, cmap=SIGNED, vmin=-reach, vmax=reach)
    _frame(ax)


def _frame(ax: Axes) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set(visible=True, color=QUIET, linewidth=0.5)
