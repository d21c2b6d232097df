"""A profile: the parameters of a build of the book, read from YAML and checked before anything is made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any

import yaml

from nbkit.atlas.cached import atlas_for
from nbkit.book.experiments import run_experiments
from nbkit.book.unchanged import Parameters
from nbkit.errors import NbkitError
from nbkit.studies.sae_tables.reproduction import Search
from nbkit.studies.shared import with_latents
from nbkit.studies.trade_off.experiment import Grid

KEYS = ("atlas", "latents", "sae", "notebooks")


@dataclass(frozen=True)
class Profile:
    """The parameters with which one build executes the notebooks."""

    name: str
    atlas: Parameters = field(default_factory=dict)
    """Arguments of `nbkit.atlas_for`; a notebook gets those that its parameters cell names."""
    latents: Parameters = field(default_factory=dict)
    """Arguments of `nbkit.studies.shared.with_latents`, for the notebooks about autoencoders of the language model."""
    sae: Parameters = field(default_factory=dict)
    """Arguments of `nbkit.book.experiments.run_experiments`, for the notebooks about sparse autoencoders."""
    notebooks: Mapping[str, Parameters] = field(default_factory=dict)
    """Further parameters of single notebooks, by the stem of the file; they win over the others."""


class _Loader(yaml.SafeLoader):
    """YAML as people write it: 1e-4 is a number, which YAML 1.1 takes for a text, and a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        if twice := [name for name in names if names.count(name) > 1]:
            raise yaml.constructor.ConstructorError(None, None, f"{twice[0]!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)[eE][-+]?\d+$"), list("-+.0123456789")
)


def read_profile(name: str, folder: Path) -> Profile:
    """Read `folder/<name>.yaml`.

    Raises:
        NbkitError: there is no such profile, or it is no YAML, or holds something else than `atlas`, `latents`, `sae`
            and `notebooks`.
    """
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    if name not in known:
        raise NbkitError(
            f"There is no profile {name[:40]!r}. Choose one of: {', '.join(known) or f'none in {folder}'}."
        )
    path = folder / f"{name}.yaml"
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader) or {}
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise NbkitError(f"{path}{where}: this can't be read ({getattr(error, 'problem', None) or error}).") from error
    if not isinstance(content, dict):
        raise NbkitError(
            f"{path} is a {type(content).__name__}: a profile has the keys `atlas`, `latents`, `sae` and `notebooks`."
        )
    unknown = sorted(map(str, set(content) - set(KEYS)))
    if unknown:
        raise NbkitError(
            f"{path} has the key {unknown[0]!r}; a profile has only `atlas`, `latents`, `sae` and `notebooks`."
        )
    parts = {key: content.get(key) or {} for key in KEYS}
    for key, part in (*parts.items(), *parts["notebooks"].items()) if _is_map(parts["notebooks"]) else parts.items():
        if not _is_map(part or {}):
            raise NbkitError(f"{path}: {key} is {part!r}, and must hold names with values.")
    return Profile(name, **parts)


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def check_profile(profile: Profile, notebooks: Mapping[str, Parameters]) -> None:
    """Raise if a value is of another type than the parameter that it is for, or if there is no such parameter.

    Args:
        notebooks: for each notebook the parameters that it sets itself.
    """
    atlas = defaults_of(atlas_for) | {"layers": None}  # of two types; `AtlasConfig` checks it
    sae = defaults_of(run_experiments) | {"grid": asdict(Grid()), "search": asdict(Search())}
    _check(profile.atlas, atlas, "atlas")
    latents = defaults_of(with_latents)
    del latents["atlas"]
    _check(profile.latents, latents, "latents")
    _check(profile.sae, sae, "sae")
    for stem, own in profile.notebooks.items():
        known = notebooks[stem]
        _check(own or {}, {name: sae.get(name) or value for name, value in known.items()}, f"notebooks: {stem}")
    for stem, known in notebooks.items():
        if "corpus" in known and (missing := sorted(set(profile.atlas) - set(known))):
            raise NbkitError(
                f"The profile {profile.name!r} sets atlas: {missing[0]}, which {stem}.ipynb has no parameter for: it "
                "would ask for another atlas. Make the atlas with `nbkit atlas`, and set atlas: atlas to its folder."
            )


def defaults_of(function: Any) -> dict[str, Any]:
    """The arguments of a function that a profile sets, each with its default."""
    return {name: each.default for name, each in signature(function).parameters.items() if name != "progress"}


def _check(value: object, like: object, place: str) -> None:
    """Raise if a value is of another type than a default, or what is in it than what is in that."""
    if like is None:
        return
    kinds: dict[type, tuple[type | tuple[type, ...], str]] = {
        bool: (bool, "true or false"),
        int: (int, "a whole number"),
        float: ((int, float), "a number"),
        str: (str, "a text"),
    }
    if isinstance(like, Mapping):
        expected, kind = isinstance(value, Mapping), "names with values"
    elif isinstance(like, Sequence) and not isinstance(like, str):
        expected, kind = isinstance(value, Sequence) and not isinstance(value, str), "a list"
    else:
        types, kind = kinds[type(like)]
        expected = isinstance(value, types) and isinstance(value, bool) == isinstance(like, bool)
    if not expected:
        raise NbkitError(f"The profile's {place} is {value!r}, and must be {kind}.")
    if isinstance(like, Mapping) and isinstance(value, Mapping):
        for name, each in value.items():
            if like and name not in like:
                raise NbkitError(f"The profile's {place} has no {name!r}: choose from {', '.join(like)}.")
            _check(each, like.get(name), f"{place}: {name}")
    elif isinstance(like, Sequence) and isinstance(value, Sequence) and not isinstance(value, str) and like:
        for each in value:
            _check(each, like[0], place)
