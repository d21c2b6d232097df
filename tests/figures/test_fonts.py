"""Text of other scripts in figures: in whatever font of the machine has it, and without a warning."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
from matplotlib.figure import Figure

from nbkit import figures
from nbkit.atlas.snippets import Snippet
from nbkit.figures import fonts
from nbkit.figures.fonts import FONT, families_of, font_of
from nbkit.figures.palette import CLUSTER_COLORS
from nbkit.figures.reading_order import reading_order, turned_around
from nbkit.figures.text import clip, draw_snippet, drawable, width
from tests.examples.scripts import SCRIPTS
from tests.figures.test_figures import FakeNeuron, boxes, drawn, put, without_overlap


@pytest.fixture
def han_in_serif(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the serif font of the machine had a Chinese character and an emoji, which it lacks in truth."""
    known = [("No Such", frozenset[int]()), ("DejaVu Serif", frozenset(map(ord, "漢")))]
    fonts._other_font.cache_clear()
    monkeypatch.setattr(fonts, "_known", lambda: iter(known))
    yield
    fonts._other_font.cache_clear()


def test_a_character_is_shown_by_the_first_font_that_has_it(han_in_serif: None) -> None:
    assert font_of("a") == font_of("م") == FONT
    assert font_of("漢") == "DejaVu Serif"
    assert font_of("字") is None
    assert families_of("a漢字漢") == [FONT, "DejaVu Serif"]
    assert drawable("a漢字") == "a漢□"


def test_the_fonts_of_the_machine_are_looked_at_in_order() -> None:
    names = [entry.name for entry in fonts._others()]
    assert FONT in names
    assert names == sorted(names, key=lambda name: (not name.startswith("Noto Sans"), name))
    with_a = {name: "a" for name, known in fonts._known() if ord("a") in known}
    assert {FONT, "DejaVu Serif"} <= set(with_a)


def test_marks_that_belong_to_a_script_stay() -> None:
    assert drawable("ọ\u0301") == "ọ\u0301"  # Yoruba: no character has both
    assert drawable("جدًّا") == "جدًّا"
    assert drawable("שָּׁ") != "ש"
    assert drawable("Z\u0338\u0322a") == "Za"
    assert drawable("م" + "\u064b" * 9) == "م" + "\u064b" * 3
    assert drawable("می\u200cخواهم") == "می\u200cخواهم"


def test_a_shaped_text_is_as_wide_as_it_is_drawn() -> None:
    for text in ("مدينة", "جدًّا", "e\u0301\u0323", "ירושלים"):
        figure = Figure(figsize=(4, 1), dpi=72)
        figure.text(0.1, 0.5, drawable(text), size=40, parse_math=False, family=families_of(text))
        [found] = [text.get_window_extent().width for text in drawn(figure).texts]
        assert width(text, 40) == pytest.approx(found * 72 / 100, rel=0.12)


def test_a_clip_keeps_letters_whole() -> None:
    text = "e\u0323\u0301" * 6
    for room in range(5, 60, 3):
        shown = clip(text, room, 8).rstrip("…")
        assert shown == text[: len(shown)] and len(shown) % 3 == 0
        assert clip(text, room, 8, keep_end=True).lstrip("…") == text[len(text) - len(shown) :]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_snippet_of_any_script_is_drawn_without_a_warning(script: str) -> None:
    tokens = tuple(SCRIPTS[script][i : i + 3] for i in range(0, 36, 3))
    figure = Figure(figsize=(4, 1))
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, 288), ylim=(72, 0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_snippet(ax, Snippet(tokens, (1.0,) * 12, 6, 0, 6), 40.0, (20.0, 150.0, 270.0), 1.0, CLUSTER_COLORS[0])
        found = boxes(drawn(figure))
    assert min(box.x0 for _, box in found) >= 20.0 / 72 * 100 - 3
    assert max(box.x1 for _, box in found) <= 270.0 / 72 * 100 + 3


def test_what_is_read_from_the_right_is_laid_out_from_the_right() -> None:
    tokens = ("في ", "مدينة ", "كبيرة ", "جميلة ", "(Cairo)")
    figure = Figure(figsize=(4, 1))
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, 288), ylim=(72, 0))
    draw_snippet(ax, Snippet(tokens, (0.0,) * 5, 2, 0, 2), 40.0, (20.0, 150.0, 270.0), 1.0, CLUSTER_COLORS[0])
    places = {text: box.x0 for text, box in boxes(drawn(figure))}
    order = [places[token.strip()] for token in tokens]
    assert order == sorted(order, reverse=True)


def test_figures_of_a_neuron_show_other_scripts() -> None:
    neuron = FakeNeuron([i % 4 for i in range(16)])
    for example, text in enumerate(list(SCRIPTS.values())[:12]):
        put(neuron, example, 0, text[:6])
    for draw in (figures.cluster_dendrogram, figures.embedding_illustration):
        without_overlap(drawn(draw(neuron)))


def test_words_of_two_directions_stand_as_in_any_text() -> None:
    def line(*texts: str) -> str:
        order, _ = reading_order(texts)
        return "".join(turned_around(texts[i]) if from_right else texts[i] for i, from_right in order)

    assert line("one ", "two") == "one two"
    assert line("אבגד", "ב", " ", "(", "C", "airo", ")", " ", "ג") == "ג (Cairo) באבגד"
    assert line("אב", " גד", " (", "X", ")") == "(X) גד אב"
    assert line("see ", "א", " ", "ב", ", ", "and more") == "see ב א, and more"
    assert reading_order(["א", "b c"])[1] is False
    assert reading_order([])[0] == []
