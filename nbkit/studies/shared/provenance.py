"""What made the numbers of a page: one line, which opens to everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib.metadata import version

from nbkit.assets.catalog import ASSETS
from nbkit.atlas.atlas import Atlas
from nbkit.atlas.made_from import made_from
from nbkit.atlas.manifest import Manifest
from nbkit.studies.shared.words import counted

MNIST_LIBRARIES = ("nbkit", "torch", "numpy", "scipy")
"""That compute the numbers of the MNIST part."""


@dataclass(frozen=True)
class Provenance:
    """A badge: closed it names what made a page, opened it tells all of it."""

    title: str
    """One line."""
    rows: Mapping[str, str]
    """Everything, by what it is."""

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in self.rows.items()
        )
        return f'<details class="nbkit-provenance"><summary>{escape(self.title)}</summary><dl>{rows}</dl></details>'


def provenance(atlas: Atlas, profile: str, images: Provenance | None = None) -> Provenance:
    """What made the numbers of a page about an atlas.

    Args:
        atlas: of the page.
        profile: the profile's name.
        images: what made the page's other numbers, those of the MNIST part.
    """
    m = atlas.manifest
    title = f"Made by profile {profile}: {m.model_name}, {_places(m)}, on {m.n_contexts:,} contexts of {m.corpus}"
    rows = {"profile": profile, **made_from(m)}
    if images is not None:
        title += "; MNIST"
        rows |= {f"{name}, MNIST part": value for name, value in images.rows.items() if name != "profile"}
    return Provenance(_line(title), {name: _line(value) for name, value in rows.items()})


def _places(m: Manifest) -> str:
    """How many layers, and autoencoders, the units are of."""
    n_layers = sum(site.unit == "neuron" for site in m.sites)
    n_saes = len(m.sites) - n_layers
    if not n_saes:
        return f"{n_layers} of {m.n_sites} layers"
    return " and ".join(([f"{n_layers} layers"] if n_layers else []) + [counted(n_saes, "autoencoder")])


def mnist_provenance(profile: str, n_seeds: int, seed: int = 0, model: str = "an MLP 784-64-10") -> Provenance:
    """What made the numbers of a page of the MNIST part, and of which model."""
    if n_seeds == 1:
        in_title = in_row = f"seed {seed}"
    else:
        seeds = f"{seed} to {seed + n_seeds - 1}"
        in_title, in_row = f"seeds {seeds}", f"one MLP for each seed, {seeds}"
    rows = {
        "profile": profile,
        "images": "MNIST, 60,000 for training and 10,000 for tests",
        "sha256 of the images' archive": ", ".join(download.sha256 for download in ASSETS["mnist"].downloads),
        "model": f"{model}, trained here",
        "seeds": in_row,
        "precision": "float32",
        "versions": ", ".join(f"{name} {version(name)}" for name in MNIST_LIBRARIES),
    }
    title = f"Made by profile {profile}: MNIST, {model}, {in_title}"
    return Provenance(_line(title), {name: _line(value) for name, value in rows.items()})


def _line(text: str) -> str:
    return " ".join(text.split())
