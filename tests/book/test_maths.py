"""Formulas typeset while a book is built: as Sphinx writes them, with what a reader hears, and what is no TeX."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nbkit.book.maths import typeset
from nbkit.errors import NbkitError

INLINE = '<p>Where <span class="math notranslate nohighlight">\\(a &lt; \\boldsymbol{h}_1\\)</span> holds.</p>'
ALONE = (
    '<div class="math notranslate nohighlight" id="equation-one">\n'
    '<span class="eqno">(1)<a class="headerlink" href="#equation-one">#</a></span>\\[\\begin{split}\na &amp;= '
    "\\color{red}{\\sum_i e_i} \\\\[2pt]\n&amp;= 1\\end{split}\\]</div>"
)


def test_formulas_become_pictures_with_mathml(tmp_path: Path) -> None:
    page, other = tmp_path / "page.html", tmp_path / "other.html"
    page.write_text(f"{INLINE}{ALONE}{INLINE}", encoding="utf-8")
    other.write_text("<p>It costs \\(5.</p>", encoding="utf-8")
    assert typeset([page, other], tmp_path / "maths.css") == [page]
    made = page.read_text(encoding="utf-8")
    assert "\\(" not in made and "\\[" not in made and "boldsymbol" not in made
    assert made.count("<mjx-container") == made.count("<math ") == 3
    assert made.count('display="true"') == 1 and '<span class="eqno">(1)' in made
    heard = re.findall(r"<math .*?</math>", made, flags=re.DOTALL)
    assert re.sub(r"<[^>]+>|\s", "", heard[0]) == "a&lt;h1"
    assert heard[0] == heard[2] != heard[1] and "<mtd>" in heard[1] and "red" in heard[1]
    assert 'mjx-container[jax="SVG"]' in (tmp_path / "maths.css").read_text(encoding="utf-8")
    assert other.read_text(encoding="utf-8") == "<p>It costs \\(5.</p>"


@pytest.mark.parametrize(("tex", "why"), [("\\frac{1", "brace"), ("\\nothing{1}", "Undefined control sequence")])
def test_what_is_no_tex_is_a_sentence(tex: str, why: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(f'<span class="math notranslate nohighlight">\\({tex}\\)</span>', encoding="utf-8")
    with pytest.raises(NbkitError, match=rf"A formula of the book is no TeX: .*{why}"):
        typeset([page], tmp_path / "maths.css")


def test_without_formulas_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>Words.</p>", encoding="utf-8")
    assert typeset([tmp_path / "page.html"], tmp_path / "maths.css") == []
    assert not (tmp_path / "maths.css").exists()
