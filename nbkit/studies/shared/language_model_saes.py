"""Sparse autoencoders of a language model, trained on an atlas's own text, and their latents' atlas: made once, kept in
the cache folder, and shared by the pages that are about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

from nbkit.assets import cache_folder
from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.joined import join_atlases
from nbkit.atlas.manifest import MANIFEST
from nbkit.atlas.one_pass import AtlasPlan, scan_in_one_pass
from nbkit.corpora import Contexts
from nbkit.files import make_folder, read_table, user_path, write_table
from nbkit.models import LanguageModel
from nbkit.models.hook_points import hooked
from nbkit.models.units import ModelUnits
from nbkit.sae.autoencoder import SAE_CONFIG, SparseAutoencoder
from nbkit.studies.shared.scaled_training import topk_config, train_scaled
from nbkit.studies.shared.text_and_model import model_of, spread
from nbkit.units.latents import sae_latents
from nbkit.units.together import join_units

SAE_RECIPE = 1
"""Goes up when the training changes, so that autoencoders of an older nbkit are trained again."""
CAPTURED_AT_ONCE = 16
"""Contexts in a forward pass."""
N_HELD_OUT = 64
"""Contexts that no autoencoder is trained on, and on which each is measured."""
QUALITY = "quality.parquet"
QUALITY_COLUMNS = ("hook", "unexplained", "l0")


@dataclass(frozen=True, eq=False)
class WithLatents:
    """The atlas of a model's neurons, that of its autoencoders' latents, and both in one."""

    neurons: Atlas
    latents: Atlas
    joined: Atlas
    """Sites are numbered as in `neurons`, then those of the latents."""
    quality: pd.DataFrame
    """A row for each autoencoder: its `hook`, and over contexts that were not trained on here `unexplained`, the share
    of the variance that is left (NaN of a transcoder), and `l0`, the latents that are active at a token."""
    folders: Mapping[str, str]
    """For each hook point the folder or hub id of its autoencoder."""

    def units(self, model: LanguageModel) -> LanguageModel | ModelUnits:
        """What `joined` is of, in its model."""
        return join_units(model, sae_latents(model, self.folders)) if self.folders else model


def with_latents(
    atlas: Atlas | AtlasPlan,
    hooks: Sequence[str] = ("blocks.12.mlp.hook_in", "blocks.12.hook_resid_post"),
    saes: Mapping[str, str | Path] | None = None,
    d_sae: int = 4608,
    k: int = 32,
    n_contexts: int = 3000,
    seed: int = 0,
    progress: bool = True,
) -> WithLatents:
    """The latents of TopK autoencoders that are trained on the atlas's text, or of somebody's own, in its company.

    Their embedding is the paper's.

    Args:
        atlas: of the neurons of a language model; or what it is made of, if it isn't there: then neurons and latents
            are scanned in one pass over the text.
        hooks: where an autoencoder is trained at. Without any, and without `saes`, there are no latents, and all three
            atlases are this one.
        saes: for hook points autoencoders that are there, see `nbkit.load_sae`; then none is trained.
        d_sae: latents.
        k: of them active at a token.
        n_contexts: contexts, spread over the corpus, that they are trained on.
        seed: of their weights and of the order of the tokens.

    Raises:
        NbkitError: the model has no such hook point, an autoencoder doesn't fit it, or the cache folder can't be
            written.
    """
    if not hooks and not saes:
        atlas = atlas.build(progress) if isinstance(atlas, AtlasPlan) else atlas
        return WithLatents(atlas, atlas, atlas, pd.DataFrame(columns=list(QUALITY_COLUMNS)), {})
    m = atlas.manifest
    own = {hook: str(user_path(path)) for hook, path in (saes or {}).items()}
    states = [[hook, path, _state(Path(path))] for hook, path in own.items()]
    config = AtlasConfig(
        threshold=m.threshold,
        max_examples=m.max_examples,
        batch_size=m.batch_size,
        block_size=m.block_size,
        seed=m.seed,
    )
    request: list[object] = [SAE_RECIPE, m.model_sha256, m.contexts_sha256, m.dtype, m.device, asdict(config)]
    request += states or [list(hooks), d_sae, k, n_contexts, seed]
    digest = hashlib.sha256(json.dumps(request).encode()).hexdigest()[:10]
    kept = cache_folder() / "saes" / digest
    folders = own or {hook: str(kept / hook) for hook in hooks}
    folder = cache_folder() / "atlases" / f"latents-{digest}"
    make_folder(kept)
    with FileLock(kept / ".lock"):
        if not (folder / MANIFEST).is_file():
            model = model_of(atlas, progress) if isinstance(atlas, Atlas) else atlas.model
            assert isinstance(model, LanguageModel)
            if not saes:
                _train(model, atlas.contexts, folders, d_sae, k, n_contexts, seed, progress)
            units = sae_latents(model, folders)
            if not (kept / QUALITY).is_file():
                opened = dict(zip(folders, units.saes, strict=True))
                write_table(_quality(model, atlas.contexts, opened), kept / QUALITY)
            # not of the request: what is there keeps its name
            latents = AtlasPlan(units, atlas.contexts, folder, replace(config, embedding="paper"))
            if isinstance(atlas, AtlasPlan):
                scan_in_one_pass([atlas, latents], join_units(model, units), progress)
            latents.build(progress)
        neurons = atlas if isinstance(atlas, Atlas) else atlas.build(progress)
        of_latents = open_atlas(folder)
        # Built again by another nbkit, an atlas keeps its name; what it is joined to is another then.
        of_neurons = hashlib.sha256(json.dumps(asdict(neurons.manifest)).encode()).hexdigest()[:6]
        both = cache_folder() / "atlases" / f"{neurons.path.name}-{of_neurons}-latents-{digest}"
        joined = join_atlases([neurons, of_latents], both)
        return WithLatents(neurons, of_latents, joined, read_table(kept / QUALITY), folders)


def _state(path: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of change of the files at a path."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]


def _train(
    model: LanguageModel,
    contexts: Contexts,
    folders: Mapping[str, str],
    d_sae: int,
    k: int,
    n_contexts: int,
    seed: int,
    progress: bool,
) -> None:
    """Trains an autoencoder at each hook point, see `train_scaled`, and leaves it in its folder."""
    missing = {hook: folder for hook, folder in folders.items() if not (Path(folder) / SAE_CONFIG).is_file()}
    if not missing:  # an earlier build was interrupted behind the training
        return
    chosen, _ = _split(len(contexts.tokens), n_contexts)
    for (hook, folder), vectors in zip(
        missing.items(), _captured(model, contexts, list(missing), chosen, progress), strict=True
    ):
        sae = train_scaled(vectors, topk_config(d_sae, k, seed), progress)
        sae.hook = hook
        sae.save(folder)


def _split(n: int, n_contexts: int) -> tuple[np.ndarray, np.ndarray]:
    """Contexts to train on, spread over the corpus, and some between them to measure on."""
    held_out = spread(n, min(N_HELD_OUT, max(1, n // 4)))
    others = np.setdiff1d(np.arange(n), held_out)
    return others[spread(len(others), n_contexts)], held_out


def _captured(
    model: LanguageModel, contexts: Contexts, hooks: Sequence[str], chosen: np.ndarray, progress: bool
) -> list[Float[Tensor, "n width"]]:
    """The vectors at some hook points of the text of chosen contexts, in one pass."""
    text, found = torch.from_numpy(~contexts.special), [list[Tensor]() for _ in hooks]
    points = [model.hook_point(hook) for hook in hooks]

    def take(number: int, vectors: Tensor) -> None:
        found[number].append(vectors[:, text.to(vectors.device)].flatten(0, 1).float().cpu())

    with hooked(model.network, model.device, points, take) as run:
        for start in tqdm(range(0, len(chosen), CAPTURED_AT_ONCE), desc="capture", unit="batch", disable=not progress):
            run(torch.from_numpy(contexts.tokens[chosen[start : start + CAPTURED_AT_ONCE]]))
    return [torch.cat(parts) for parts in found]


@torch.no_grad()
def _quality(model: LanguageModel, contexts: Contexts, saes: Mapping[str, SparseAutoencoder]) -> pd.DataFrame:
    """See `WithLatents.quality`."""
    _, held_out = _split(len(contexts.tokens), 0)
    rows = []
    for (hook, sae), h in zip(saes.items(), _captured(model, contexts, list(saes), held_out, False), strict=True):
        z, reconstruction = sae(h)
        left = np.nan
        if sae.architecture.d_out is None:
            left = float((reconstruction.float() - h).square().sum() / (h - h.mean(0)).square().sum())
        rows.append((hook, left, float((z > 0).sum(1).float().mean())))
    return pd.DataFrame(rows, columns=list(QUALITY_COLUMNS))
