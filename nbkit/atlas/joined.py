"""One atlas of what several atlases are of, without another scan: neurons beside the latents of autoencoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import pandas as pd
import torch

from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.manifest import CONTEXTS, MANIFEST, NEURONS, VOCABULARY, layer_file, write_manifest
from nbkit.errors import NbkitError
from nbkit.files import handing_over, link_or_copy, make_folder, read_tensors, user_path, write_table, write_tensors

NOT_COMPARED = ("sites", "n_sites", "embedding", "maxima_sha256", "versions")


def join_atlases(atlases: Sequence[Atlas], out: str | Path) -> Atlas:
    """An atlas of the units of several, in a new folder: similar features are then found among all of them.

    It is the atlas that `build_atlas` makes of `nbkit.join_units`, from files that are there. The sites are counted
    through, so the layers of a model's neurons keep their numbers if their atlas comes first.

    Args:
        atlases: of one model and the same contexts, made with the same config.
        out: a new folder, or that of this very atlas, which is opened.

    Raises:
        NbkitError: there are fewer than two, they were made differently, their embeddings can't be compared, or the
            folder can't be written or holds something else.
    """
    if not isinstance(atlases, list | tuple) or not all(isinstance(atlas, Atlas) for atlas in atlases):
        raise NbkitError("atlases is no list of atlases: give what nbkit.build_atlas or nbkit.open_atlas returns")
    if len(atlases) < 2:
        raise NbkitError(f"there are {len(atlases)} atlases: give at least two to join")
    first, embedding = atlases[0], _embedding(atlases)
    for other in atlases[1:]:
        if differences := [n for n in first.manifest.differences(other.manifest) if n not in NOT_COMPARED]:
            raise NbkitError(f"{first.path} and {other.path} are atlases of another {', '.join(differences)}")
    if any(atlas.manifest.maxima_sha256 for atlas in atlases):
        raise NbkitError("one of the atlases was made with given maxima: join atlases whose maxima are the corpus's")
    starts = list(accumulate((atlas.manifest.n_sites for atlas in atlases), initial=0))
    renumbered = [
        (atlas, site.number, replace(site, number=start + site.number))
        for atlas, start in zip(atlases, starts, strict=False)
        for site in atlas.manifest.sites
    ]
    manifest = replace(
        first.manifest,
        sites=tuple(site for _, _, site in renumbered),
        n_sites=starts[-1],
        embedding=embedding,
        versions=_versions(atlases),
    )
    target = user_path(out)
    if (target / MANIFEST).is_file():
        found = open_atlas(target)
        if differences := manifest.differences(found.manifest):
            raise NbkitError(
                f"{target} holds an atlas of another {', '.join(differences)}: choose another folder, or delete it"
            )
        return found
    make_folder(target)
    with handing_over(target, MANIFEST) as folder:
        for atlas, number, site in renumbered:
            link_or_copy(atlas.path / layer_file(number), folder / layer_file(site.number))
        boxes = {
            f"boxes.{site.number}": torch.from_numpy(box)
            for atlas, number, site in renumbered
            if (box := atlas.boxes(number)) is not None
        }
        if boxes:
            inputs = {name: each for name, each in read_tensors(first.path / CONTEXTS).items() if "." not in name}
            write_tensors(inputs | boxes, folder / CONTEXTS)
        else:
            link_or_copy(first.path / CONTEXTS, folder / CONTEXTS)
        tokens = pd.concat([atlas.vocabulary for atlas in atlases]).drop_duplicates("id").sort_values("id")
        write_table(tokens.reset_index(drop=True), folder / VOCABULARY)
        tables = [
            atlas.neurons.assign(layer=atlas.neurons["layer"] + start)
            for atlas, start in zip(atlases, starts, strict=False)
        ]
        write_table(pd.concat(tables, ignore_index=True), folder / NEURONS)
        layers = [layer_file(site.number) for site in manifest.sites]
        write_manifest(manifest, folder / MANIFEST, [*layers, CONTEXTS, VOCABULARY, NEURONS])
    return open_atlas(target)


def _embedding(atlases: Sequence[Atlas]) -> str:
    """The kind of embedding that all units have: of an active latent `input` is the gradient.

    Raises:
        NbkitError: there is none.
    """
    kinds = {atlas.manifest.embedding for atlas in atlases}
    if len(kinds) == 1:
        return kinds.pop()
    others = [atlas for atlas in atlases if atlas.manifest.embedding != "gradient"]
    for atlas in others:
        linear = all(site.activation == "linear" for site in atlas.manifest.sites)
        if atlas.manifest.embedding != "input" or not linear or kinds != {"input", "gradient"}:
            raise NbkitError(
                f"the atlases have different embeddings, {' and '.join(sorted(kinds))}: give one of them with the "
                "other's, atlas.with_embedding(…)"
            )
    return "gradient"


def _versions(atlases: Sequence[Atlas]) -> dict[str, str]:
    """Of each library all versions that made one of the atlases."""
    names = dict.fromkeys(name for atlas in atlases for name in atlas.manifest.versions)
    found = {name: dict.fromkeys(atlas.manifest.versions.get(name, "none") for atlas in atlases) for name in names}
    return {name: " and ".join(versions) for name, versions in found.items()}
