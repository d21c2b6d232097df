"""An atlas by name: what the notebooks ask for. Built on the first call, opened on every other."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from nbkit.assets import cache_folder
from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.manifest import ATLAS_SCHEMA, MANIFEST
from nbkit.corpora import CONTEXT_LIMIT
from nbkit.files import user_path


def atlas_for(
    model: str = "smollm2-135m",
    corpus: str = "brown",
    length: int = 128,
    limit: int = CONTEXT_LIMIT,
    layers: Literal["all"] | Sequence[int] = "all",
    seed: int = 0,
    dtype: str = "auto",
    device: str = "auto",
) -> Atlas:
    """The atlas of a model on a corpus, in the cache folder under a name made of the arguments.

    A finished atlas is opened without loading the model. Local folders and files count with their sizes and times of
    change, so an edited corpus makes another atlas.

    Args:
        model: see `load_model`.
        corpus: see `load_contexts`; likewise `length` and `limit`.
        layers: "all" or layer numbers.
        seed: of the shuffled-weights control.
        dtype, device: see `load_model`.

    Raises:
        NbkitError: the model or the corpus can't be opened or has no such layer, or the cache folder can't be written.
    """
    request = [
        ATLAS_SCHEMA,
        str(model),
        str(corpus),
        length,
        limit,
        layers if isinstance(layers, str) else [int(layer) for layer in layers],
        seed,
        dtype,
        device,
    ]
    request += [_state(user_path(str(name))) for name in (model, corpus)]
    digest = hashlib.sha256(json.dumps(request).encode()).hexdigest()[:10]
    folder = cache_folder() / "atlases" / f"{_slug(model)}-{_slug(corpus)}-{digest}"
    if (folder / MANIFEST).is_file():
        return open_atlas(folder)

    from nbkit.atlas.build import build_atlas
    from nbkit.atlas.config import AtlasConfig
    from nbkit.corpora import load_contexts
    from nbkit.models import load_model

    config = AtlasConfig(layers=layers, seed=seed)
    language_model = load_model(model, dtype=dtype, device=device)  # type: ignore[arg-type]
    return build_atlas(language_model, load_contexts(corpus, language_model, length, limit), folder, config)


def _state(path: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of change of a local file or of the files of a local folder; empty for anything else."""
    files = sorted(path.iterdir()) if path.is_dir() else [path] if path.is_file() else []
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]


def _slug(name: object) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", Path(str(name)).name.lower()).strip("-.")[:40]
