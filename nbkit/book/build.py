"""Build the book: execute the notebooks of a profile, then make the pages with Jupyter Book."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from nbkit import assets
from nbkit.assets import cache_folder
from nbkit.atlas.atlas import Atlas
from nbkit.atlas.cached import atlas_for, found_or_planned
from nbkit.book import frontend
from nbkit.book.experiments import run_experiments
from nbkit.book.neuron_links import explored_in, write_neuron_links
from nbkit.book.notebooks import default_parameters, execute, parameter_names
from nbkit.book.pages import make_pages
from nbkit.book.profile import Profile, check_profile, defaults_of, read_profile
from nbkit.book.unchanged import unchanged
from nbkit.errors import NbkitError
from nbkit.explorers.atlas.shard_files import atlas_of_site, put_shards, site_folder, site_name
from nbkit.explorers.atlas.shards import make_parts
from nbkit.features import showcase
from nbkit.features.importance import keep_importance, kept_importance
from nbkit.features.table import features_of
from nbkit.studies.ground_truth import two_models
from nbkit.studies.shared import with_latents
from nbkit.studies.shared.language_model_saes import WithLatents
from nbkit.studies.shared.space_comparison import spaces_of
from nbkit.studies.shared.text_and_model import model_of

GROUND_TRUTH = "ground-truth"
"""The notebook that measures a second model, and takes longest: it begins first."""


def build(profile: str = "default", out: Path | str = "_build", root: Path | str = ".") -> Path:
    """Execute the notebooks of `root`/book and build the pages; warnings are errors.

    Of the last build in `out`, executed notebooks are taken over of which nothing has changed (`unchanged`).

    Args:
        profile: the name of a file in `root`/book/profiles, without its ending. If it names an atlas's folder, a
            relative one lies in `root`.
        out: gets `book/` (the executed notebooks and the other sources) and `html/` (the pages).
        root: the folder that holds `book/`, `_config.yml` and `_toc.yml`.

    Returns:
        The folder of the pages.

    Raises:
        NbkitError: no such profile, or no such notebook as it names, a parameter of a wrong type, a notebook failed, or
            a page cannot be built without a warning.
    """
    root, out = Path(root).resolve(), Path(out).resolve()
    source, staged = root / "book", out / "book"
    chosen = read_profile(profile, source / "profiles")
    paths = {path.stem: path for path in sorted(source.glob("*.ipynb"))}
    unknown = sorted(set(chosen.notebooks) - set(paths))
    if unknown:
        raise NbkitError(
            f"The profile {profile!r} names the notebook {unknown[0]!r}. The book has: {', '.join(paths)}."
        )
    if isinstance(folder := chosen.atlas.get("atlas"), str):  # the notebooks run in another folder
        chosen = replace(chosen, atlas={**chosen.atlas, "atlas": str(root / Path(folder).expanduser())})
    parameters = {path: parameters_of(path, chosen) for path in paths.values()}
    defaults = {path: default_parameters(path) for path in paths.values()}
    check_profile(chosen, {path.stem: known for path, known in defaults.items()})
    whole = {path: {**defaults[path], **given} for path, given in parameters.items()}

    atlas = prepare(chosen)
    if chosen.atlas and (truth := paths.get(GROUND_TRUTH)):
        prepare_second_model(chosen, whole[truth])
    about = None if atlas is None else atlas.path
    kept = unchanged(whole, staged, about)
    _stage_sources(source, staged)
    for path, text in kept.items():
        (staged / path.name).write_text(text, encoding="utf-8")
    frontend.collect(staged / "assets" / "offline")
    in_order = sorted(parameters, key=lambda path: path.stem != GROUND_TRUTH)
    execute({path: parameters[path] for path in in_order if path not in kept}, staged, about)
    write_neuron_links(staged / "assets", staged, atlas)
    html = make_pages(staged, root / "_config.yml", root / "_toc.yml", out)
    for explored in explored_by(staged, atlas):
        put_shards(explored, html / site_folder(explored))
    return html


def explored_by(pages: Path, atlas: Atlas | None) -> list[Atlas]:
    """The atlas of the book, and those of the cache folder that one of its pages explores.

    Args:
        pages: the folder of the executed notebooks.
        atlas: the one that the book is about, with the embedding that its explorer shows.

    Raises:
        NbkitError: a page explores another.
    """
    found = {} if atlas is None else {site_name(atlas): atlas}
    for page in sorted(pages.glob("*.ipynb")):
        for name in sorted(explored_in(page) - set(found)):
            found[name] = atlas_of_site(cache_folder() / "atlases", name)
    return list(found.values())


def prepare(profile: Profile) -> Atlas | None:
    """Make what several notebooks read, each once and with bars in the terminal: the atlas, the latents beside it, and
    the experiments.

    Returns:
        The atlas that the book's explorer is of, with the embedding that it shows, if the profile has one.
    """
    atlas = None
    if profile.atlas:
        neurons = found_or_planned(**{**defaults_of(atlas_for), **profile.atlas})
        seed = profile.atlas.get("seed", 0)
        both = with_latents(neurons, **{"hooks": (), "seed": seed, **profile.latents})
        for kind in spaces_of(both.neurons):
            both.neurons.metrics(kind)
        atlas = both.joined.with_embedding("auto")
        _prepare_explorer(atlas, both)
    if profile.sae:
        assets.fetch("mnist")
        run_experiments(**{"seed": profile.atlas.get("seed", 0), **profile.sae})
    return atlas


def prepare_second_model(profile: Profile, truth: Mapping[str, Any]) -> None:
    """Make the atlas of the other model that the page on ground truth measures: what is downloaded and scanned says so
    in the terminal, and would be a warning on the page.

    Args:
        truth: all parameters of that page's notebook.
    """
    two_models(
        atlas_for(**profile.atlas),
        *(truth[name] for name in ("truth_layers", "second", "second_layers", "second_limit", "seed")),
    )


def _prepare_explorer(atlas: Atlas, both: WithLatents) -> None:
    """Make the atlas explorer's data but for its files: token importance is that of the units that the explorer or a
    page features, and of all units where there is a GPU."""
    make_parts(atlas)
    featured = [choice.neuron for each in (atlas, both.neurons) for choice in showcase.featured(each)]
    neurons = [(neuron.layer, neuron.index) for neuron in featured]
    if torch.cuda.is_available():
        neurons = list(zip(atlas.neurons["layer"], atlas.neurons["index"], strict=True))
    medoids = features_of(atlas).set_index(["layer", "index"])["medoid"]
    wanted = medoids[medoids.index.isin(neurons)].reset_index().itertuples(index=False, name=None)
    if not kept_importance(atlas).keys() >= set(wanted):
        keep_importance(both.units(model_of(atlas)), atlas, neurons)


def parameters_of(path: Path, profile: Profile) -> dict[str, Any]:
    """Return the parameters that `profile` gives to the notebook at `path`.

    Raises:
        NbkitError: the profile sets a parameter for this notebook alone that the notebook does not have.
    """
    names = parameter_names(path)
    own = profile.notebooks.get(path.stem) or {}
    unknown = sorted(set(own) - names)
    if unknown:
        raise NbkitError(
            f"The profile {profile.name!r} sets {unknown[0]!r} for {path.name}, whose parameters cell has no such name."
        )
    given = {"profile": profile.name, **profile.atlas, **profile.latents, **profile.sae, **own}
    return {name: value for name, value in given.items() if name in names}


def _stage_sources(source: Path, staged: Path) -> None:
    """Copy everything but notebooks and profiles to an emptied `staged`."""
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(source, staged, ignore=shutil.ignore_patterns("*.ipynb", ".ipynb_checkpoints", "profiles"))
