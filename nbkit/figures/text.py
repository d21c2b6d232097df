"""Text from a corpus in a figure: measured, clipped to a width, and never read as markup."""

import unicodedata
from functools import cache

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font, LoadFlags
from matplotlib.patches import FancyBboxPatch, Rectangle

from nbkit.atlas.snippets import Snippet, display_token
from nbkit.figures.palette import HEAT, INK

FONT = "DejaVu Sans"
MISSING = "□"
ELLIPSIS = "…"
AFTER = 5  # tokens after the key token, as in the paper

_MEASURED_AT = 100  # points


def drawable(text: str) -> str:
    """`text` with invisible characters shown and those that the font lacks replaced by □.

    Combining marks that belong to no composed character are left out: stacked, they would run over other lines.
    """
    font = _font()
    composed = unicodedata.normalize("NFC", display_token(text))
    shown = (char for char in composed if unicodedata.category(char) not in ("Mn", "Me"))
    return "".join(char if font.get_char_index(ord(char)) else MISSING for char in shown)


def width(text: str, size: float) -> float:
    """How far `text` advances, in points."""
    return sum(_advance(char) for char in text) * size / _MEASURED_AT


def clip(text: str, room: float, size: float, more: bool = False) -> str:
    """The beginning of `text` that fits into `room` points, with an ellipsis where something is lost.

    With `more` to follow, whole text leaves room for the ellipsis that may have to stand behind it.
    """
    if width(text + ELLIPSIS * more, size) <= room:
        return text
    while text and width(text + ELLIPSIS, size) > room:
        text = text[:-1]
    return text + ELLIPSIS


def draw_snippet(
    ax: Axes,
    snippet: Snippet,
    y: float,
    columns: tuple[float, float, float],
    highest: float,
    color: str,
    size: float = 7.5,
) -> None:
    """Draw a dataset example as one line: what fits before the key token, the key token, five tokens after it.

    Args:
        ax: axes whose unit is the point, y downwards.
        snippet: the example.
        y: the baseline.
        columns: left end of the line, left end of the key token, right end of the line.
        highest: the activation that is fully opaque.
        color: outlines the key token.
        size: of the font, in points.
    """
    left, middle, right = columns
    texts = [drawable(token) for token in snippet.tokens]
    x = middle
    last = min(snippet.key + AFTER, len(texts) - 1)
    for i in range(snippet.key, last + 1):
        text = texts[i].lstrip() if i == snippet.key else texts[i]  # key tokens stand under each other
        shown = clip(text, right - x, size, more=i < last)
        _draw_token(ax, shown, x, y, size, snippet.activations[i] / highest, color if i == snippet.key else None)
        x += width(shown, size)
        if shown != text:
            break
    x = middle - width(" ", size) * texts[snippet.key].startswith(" ")
    for i in reversed(range(snippet.key)):
        shown = clip(texts[i][::-1], x - left, size, more=i > 0)[::-1]  # keeps the end
        x -= width(shown, size)
        _draw_token(ax, shown, x, y, size, snippet.activations[i] / highest, None)
        if shown != texts[i]:
            break


def _draw_token(ax: Axes, text: str, x: float, y: float, size: float, share: float, outline: str | None) -> None:
    visible = text.strip() or text
    start = x + width(text[: len(text) - len(text.lstrip())], size) * bool(text.strip())
    box = (start, y - 0.92 * size), width(visible, size), 1.2 * size
    if share > 0.02:
        ax.add_patch(Rectangle(*box, facecolor=HEAT, alpha=min(share, 1.0), linewidth=0))
    if outline:
        (bx, by), w, h = box
        ax.add_patch(
            FancyBboxPatch((bx, by), w, h, boxstyle="round,pad=0.8", fill=False, edgecolor=outline, linewidth=1.0)
        )
    if text.strip():
        ax.text(start, y, visible, size=size, color=INK, va="baseline", parse_math=False)


@cache
def _font() -> FT2Font:
    return get_font(findfont(FontProperties(family=FONT)))


@cache
def _advance(char: str) -> float:
    font = _font()
    font.set_size(_MEASURED_AT, 72)
    return font.load_char(ord(char), flags=LoadFlags.NO_HINTING).linearHoriAdvance / 65536
