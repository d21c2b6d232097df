"""The scripts and fonts that let a built page show live widgets and maths without any network."""

from __future__ import annotations

import shutil
from pathlib import Path

import anywidget

from nbkit import assets

MANAGER = Path("@jupyter-widgets/html-manager/dist")
MATHJAX = Path("mathjax/es5")
# What a page may load. MathJax's extensions are complete because one missing autoloaded macro (\color, \cancel)
# stops all maths of a page.
FILES = {
    "requirejs/require.js": "",
    f"{MANAGER}/embed-amd.js": "",
    f"{MANAGER}/*.woff2": "fonts",
    f"{MATHJAX}/tex-mml-chtml.js": "mathjax",
    f"{MATHJAX}/output/chtml/fonts/woff-v2/*.woff": "mathjax/output/chtml/fonts/woff-v2",
    f"{MATHJAX}/input/tex/extensions/*": "mathjax/input/tex/extensions",
}


def collect(folder: Path) -> None:
    """Copy the front-end files into `folder`, in the layout that `_config.yml` and widgets-config.js expect.

    Args:
        folder: made if missing; a folder below one that `html_static_path` lists.

    Raises:
        NbkitError: the files are not in the cache and cannot be fetched.
    """
    packages = assets.fetch("frontend")
    for pattern, place in FILES.items():
        target = folder / place
        target.mkdir(parents=True, exist_ok=True)
        sources = sorted(packages.glob(pattern))
        if not sources:
            raise FileNotFoundError(f"{packages} holds no {pattern}")
        for source in sources:
            copy = shutil.copytree if source.is_dir() else shutil.copyfile
            copy(source, target / source.name)
    # from the installed package, so that the page's side of anywidget is never another version than the kernel's
    shutil.copyfile(Path(anywidget.__file__).parent / "nbextension" / "index.js", folder / "anywidget.js")
