"""A book of two small notebooks, built with the real configuration and the real code, for the tests of the build."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import nbformat
import yaml

from tests.examples.hostile_text import fuse_tokens, write_corpora
from tests.examples.tiny_models import make_model

REPOSITORY = Path(__file__).parents[2]

Cell = tuple[str, str, Sequence[str]]  # "markdown" or "code", its source, its tags

INDEX: list[Cell] = [
    (
        "markdown",
        "# A small book\n\nInline $\\boldsymbol{h} \\odot w$, see {cite}`small`, and\n\n"
        "$$a = \\color{red}{\\sum_i e_i} \\tag{1}$$\n\nFindable word: quixotic.\n\n"
        "**L1 N3** and layer 2, neuron 5 are in this atlas; L9 N3 and L1 N4000 are not; `L1 N3` is code.\n\n"
        "| neuron | of |\n|---|---|\n| L0 N7 | a table |",
        [],
    ),
    ("code", 'model = "default model"\nthreshold = 0.5', ["parameters"]),
    ("code", "model", []),
]
EXPLORER: list[Cell] = [
    ("markdown", "# Live explorers", []),
    ("code", "threshold = 0.5", ["parameters"]),
    (
        "code",
        "from nbkit.explorers import DendrogramExplorer\n"
        "from tests.examples.neuron import HOSTILE, example_neuron\n"
        "DendrogramExplorer(example_neuron(60, words=HOSTILE), threshold)",
        [],
    ),
    ("code", "from tests.examples.latents import example_models\nexample_models().explorer()", []),
    (
        "code",
        "from nbkit.explorers import ParetoExplorer\n"
        "from tests.examples.sweep import example_sweep\n"
        "ParetoExplorer(example_sweep())",
        [],
    ),
    (
        "code",
        "from nbkit.explorers import LiveNeuron\nLiveNeuron(example_neuron(60, words=HOSTILE), threshold)",
        [],
    ),
]
WIDGETS: list[Cell] = [
    ("markdown", "# Other widgets", []),
    (
        "code",
        "import ipywidgets\n"
        "knob, shown = ipywidgets.IntSlider(3, description='knob'), ipywidgets.Label()\n"
        "ipywidgets.jslink((knob, 'value'), (shown, 'value'))\n"
        "ipywidgets.VBox([knob, shown])",
        [],
    ),
]
ATLAS: list[Cell] = [
    ("markdown", "# A model's neurons\n\n## All of them", []),  # a wide cell needs a page with sections
    ("code", 'model = "a folder"\ncorpus = "a file"\nlength = 0', ["parameters"]),
    (
        "code",
        "import nbkit\n"
        "from nbkit.explorers import AtlasExplorer\n"
        'AtlasExplorer(nbkit.atlas_for(model, corpus, length).with_embedding("auto"))',
        ["full-width"],
    ),
]
BIBLIOGRAPHY = "@article{small, title={A small thing}, author={Writer, Some}, year={2024}, journal={Journal}}\n"
TOC = "format: jb-book\nroot: index\nchapters:\n  - file: explorer\n  - file: widgets\n  - file: references\n"


def write_notebook(path: Path, cells: Sequence[Cell]) -> None:
    """Write a notebook of these cells."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for kind, source, tags in cells:
        cell = nbformat.v4.new_markdown_cell(source) if kind == "markdown" else nbformat.v4.new_code_cell(source)
        cell.metadata.tags = list(tags)
        notebook.cells.append(cell)
    nbformat.write(notebook, path)


def write_book(root: Path) -> Path:
    """Write the sources of the small book into `root`, with the configuration and assets of the real one."""
    book = root / "book"
    (book / "profiles").mkdir(parents=True)
    shutil.copyfile(REPOSITORY / "_config.yml", root / "_config.yml")
    shutil.copytree(REPOSITORY / "book" / "assets", book / "assets")
    (root / "_toc.yml").write_text(TOC, encoding="utf-8")
    (book / "references.bib").write_text(BIBLIOGRAPHY, encoding="utf-8")
    (book / "references.md").write_text("# References\n\n```{bibliography}\n```\n", encoding="utf-8")
    (book / "profiles" / "quick.yaml").write_text("notebooks:\n  index: {model: the quick one}\n", encoding="utf-8")
    write_notebook(book / "index.ipynb", INDEX)
    write_notebook(book / "explorer.ipynb", EXPLORER)
    write_notebook(book / "widgets.ipynb", WIDGETS)
    return root


def add_atlas(root: Path) -> Path:
    """Add a page `atlas` to the small book: the atlas explorer, over a tiny model that has read hostile text.

    The atlas comes into the cache folder (NBKIT_CACHE) when the book is built.
    """
    folder = root / "sources"
    folder.mkdir()
    make_model("llama", folder / "tiny-model")
    fuse_tokens(folder / "tiny-model")
    request = {"model": str(folder / "tiny-model"), "corpus": str(write_corpora(folder)["lines"]), "length": 32}
    profile = root / "book" / "profiles" / "quick.yaml"
    values = yaml.safe_load(profile.read_text(encoding="utf-8")) | {"atlas": request}
    profile.write_text(yaml.safe_dump(values), encoding="utf-8")
    write_notebook(root / "book" / "atlas.ipynb", ATLAS)
    (root / "_toc.yml").write_text(TOC + "  - file: atlas\n", encoding="utf-8")
    return root
