"""A layer's neurons below zero, above it and on both sides, on a part of an atlas's text: made once, kept in the cache
folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from filelock import FileLock

from nbkit.assets import cache_folder
from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.manifest import MANIFEST
from nbkit.atlas.one_pass import AtlasPlan, scan_in_one_pass
from nbkit.files import make_folder
from nbkit.models.sign import SIGNS
from nbkit.studies.shared.text_and_model import model_of, spread
from nbkit.units.together import join_units


@dataclass(frozen=True, eq=False)
class BothSides:
    """Atlases that differ in their sign alone."""

    positive: Atlas
    negative: Atlas
    both: Atlas


def both_sides(atlas: Atlas, layers: Sequence[int], n_contexts: int = 1000, progress: bool = True) -> BothSides:
    """The neurons of some layers on both sides of zero, by the paper's embedding.

    Args:
        atlas: of the neurons of a language model, whose text is taken.
        layers: which.
        n_contexts: contexts of it, spread over the corpus.

    Raises:
        NbkitError: the model has no such layer, or the cache folder can't be written.
    """
    m = atlas.manifest
    config = AtlasConfig(layers=layers, embedding="paper", seed=m.seed, batch_size=m.batch_size)
    request = [m.model_sha256, m.contexts_sha256, m.dtype, m.device, list(config.numbers), n_contexts, m.seed]
    digest = hashlib.sha256(json.dumps(request).encode()).hexdigest()[:10]
    folder = cache_folder() / "atlases" / f"signs-{digest}"
    make_folder(folder)
    with FileLock(folder / ".lock"):
        if not all((folder / sign / MANIFEST).is_file() for sign in SIGNS):
            model, whole = model_of(atlas, progress), atlas.contexts
            chosen = spread(m.n_contexts, n_contexts)
            contexts = replace(whole, tokens=whole.tokens[chosen], documents=whole.documents[chosen])
            plans = [AtlasPlan(model, contexts, folder / sign, replace(config, sign=sign)) for sign in SIGNS]
            scan_in_one_pass(plans, join_units(*[model] * len(plans)), progress)
            for plan in plans:
                plan.build(progress)
    return BothSides(*(open_atlas(folder / sign) for sign in SIGNS))
