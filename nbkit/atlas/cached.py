"""An atlas by name: what the notebooks ask for. Built on the first call, opened on every other."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nbkit.assets import cache_folder
from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.manifest import MANIFEST, NEURONS_SCHEMA
from nbkit.corpora import CONTEXT_LIMIT, corpus_files
from nbkit.errors import NbkitError
from nbkit.files import user_path
from nbkit.method.checks import checked_seed, checked_whole
from nbkit.models.sign import Sign
from nbkit.models.site import CENTERED

if TYPE_CHECKING:
    from nbkit.atlas.one_pass import AtlasPlan


def atlas_for(
    model: str = "smollm2-135m",
    corpus: str = "brown",
    length: int = 128,
    limit: int = CONTEXT_LIMIT,
    layers: Literal["all"] | Sequence[int] = "all",
    seed: int = 0,
    dtype: str = "auto",
    device: str = "auto",
    field: str = "text",
    unique: bool = False,
    sign: Sign = "positive",
    atlas: str | Path | None = None,
) -> Atlas:
    """The atlas of a model on a corpus, in the cache folder under a name made of the arguments.

    Its embedding is the paper's, since what the notebooks show is the paper's: `Atlas.with_embedding("auto")` gives it
    with the one that `build_atlas` takes.

    A finished atlas is opened without loading the model. Local folders and files count with their sizes and times of
    change, so an edited corpus makes another atlas.

    Args:
        model: the name or path of one, see `load_model`.
        corpus: the name or path of one, see `load_contexts`; likewise `length`, `limit`, `field` and `unique`.
        layers: "all" or layer numbers.
        seed: of the shuffled-weights control.
        dtype, device: see `load_model`.
        sign: which activations are looked for, see `AtlasConfig`.
        atlas: the folder of an atlas that is there already, such as `nbkit atlas` makes: it is opened, and what it was
            made from is in its manifest, whatever the other arguments say. Of the embedding `centered`, which is no
            product with weights, it is given with the paper's. None looks in the cache folder.

    Raises:
        NbkitError: the model or the corpus can't be opened or has no such layer, an argument is out of range, or the
            cache folder can't be written.
    """
    found = found_or_planned(model, corpus, length, limit, layers, seed, dtype, device, field, unique, sign, atlas)
    return found if isinstance(found, Atlas) else found.build()


def found_or_planned(
    model: str,
    corpus: str,
    length: int,
    limit: int,
    layers: Literal["all"] | Sequence[int],
    seed: int,
    dtype: str,
    device: str,
    field: str,
    unique: bool,
    sign: Sign,
    atlas: str | Path | None,
) -> Atlas | AtlasPlan:
    """The atlas of `atlas_for`, or if it isn't there, what it is made of."""
    if atlas is not None:
        found = open_atlas(atlas)
        return found.with_embedding("paper") if found.manifest.embedding == CENTERED else found
    for name, given in (("model", model), ("corpus", corpus)):
        if not isinstance(given, str | Path):
            raise NbkitError(
                f"{name} is of type {type(given).__name__}: atlas_for finds atlases again by names and paths. Use "
                "load_contexts and build_atlas for what is in memory."
            )
    config = AtlasConfig(layers=layers, embedding="paper", seed=seed, sign=sign)
    length, limit = checked_whole("length", length), checked_whole("limit", limit, 1)
    request = [
        NEURONS_SCHEMA,  # the name of an atlas that is there stays
        str(model),
        str(corpus),
        length,
        limit,
        config.layers,
        checked_seed(seed),
        dtype,
        device,
    ]
    request += [field, bool(unique), _state(_model_files(model)), _state(corpus_files(corpus))]
    request += [] if config.sign == "positive" else [config.sign]  # likewise
    digest = hashlib.sha256(json.dumps(request, default=str).encode()).hexdigest()[:10]
    folder = cache_folder() / "atlases" / f"{_slug(model)}-{_slug(corpus)}-{digest}"
    if (folder / MANIFEST).is_file():
        return open_atlas(folder)

    from nbkit.atlas.one_pass import AtlasPlan
    from nbkit.corpora import load_contexts
    from nbkit.models import load_model

    language_model = load_model(model, dtype=dtype, device=device)  # type: ignore[arg-type]
    contexts = load_contexts(corpus, language_model, length, limit, field, unique)
    return AtlasPlan(language_model, contexts, folder, config)


def _model_files(model: str | Path) -> list[Path]:
    folder = user_path(model)
    return sorted(folder.rglob("*")) if folder.is_dir() else []


def _state(files: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Paths, sizes and times of change of files."""
    return [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]


def _slug(name: object) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", Path(str(name)).name.lower()).strip("-.")[:40]
