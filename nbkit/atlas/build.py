"""Building an atlas: scan, merge and metrics, safe against interruption at any moment."""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from filelock import FileLock
from jaxtyping import Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.block_file import BlockFile
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.levels import merge_levels
from nbkit.atlas.manifest import (
    ATLAS_SCHEMA,
    CONTEXTS,
    MANIFEST,
    NEURONS,
    VOCABULARY,
    Manifest,
    layer_file,
    read_manifest,
    write_manifest,
)
from nbkit.atlas.merge import merge_layer
from nbkit.atlas.neuron_table import survey
from nbkit.atlas.scan import Bounds, scan_block
from nbkit.errors import NbkitError
from nbkit.files import distinct, is_leftover, make_folder, not_writable, sweep, user_path, write_table, write_tensors
from nbkit.method.checks import checked_array
from nbkit.models.neurons import units_of

if TYPE_CHECKING:
    from nbkit.corpora import Contexts
    from nbkit.models import LanguageModel
    from nbkit.models.units import Units

LIBRARIES = ("nbkit", "numpy", "scipy", "torch", "transformers")
SCAN = "scan"
LOCK = ".lock"
IDENTITY = "identity.json"


def build_atlas(
    model: LanguageModel | Units,
    contexts: Contexts,
    out: str | Path,
    config: AtlasConfig | None = None,
    maxima: Float[np.ndarray, "sites units"] | None = None,
    progress: bool = True,
) -> Atlas:
    """Scans the contexts and leaves an atlas in the folder `out`; goes on where an interrupted build stopped.

    A pure function of its arguments: the same units, contexts and config give the same bytes, interrupted or not. A
    finished atlas of the same arguments is opened, not built again.

    Args:
        model: a language model, whose MLP neurons are meant, or what `nbkit.sae_latents` makes of autoencoders of one.
        contexts: what `load_contexts` gives.
        out: the folder.
        config: what to scan for; the defaults are the paper's.
        maxima: the units' maximum activations, if they are known from a larger corpus (the paper took Neuroscope's),
            a row for each site and a column for each unit of the largest; None measures them on `contexts`. Of a config
            whose `sign` isn't positive, the largest strengths (see `nbkit.models.sign`).

    Raises:
        NbkitError: an argument doesn't fit the model; `out` holds something else; the folder can't be written.
    """
    _check_kinds(model, contexts, config)
    units = units_of(model, (config or AtlasConfig()).weights)
    folder, config = user_path(out), (config or AtlasConfig()).resolved(units)
    units.check_contexts(contexts)
    table = _checked_maxima(maxima, units)
    manifest = _manifest(units, contexts, config, table)
    if (folder / MANIFEST).is_file() and _is_finished(folder, manifest):  # needs no lock, nor a disk to write one on
        shutil.rmtree(folder / SCAN, ignore_errors=True)
        return open_atlas(folder)
    make_folder(folder)
    try:
        names = {path.name for path in folder.iterdir()}
        if names and not names & {LOCK, MANIFEST, SCAN}:
            raise _foreign(folder, names)  # without leaving as much as a lock in it
        lock = FileLock(folder / LOCK)
        lock.acquire()
    except OSError as error:
        raise not_writable(folder, error) from error
    try:
        if _is_finished(folder, manifest):
            shutil.rmtree(folder / SCAN, ignore_errors=True)
            return open_atlas(folder)
        for layer in config.numbers:
            units.weights(layer)  # such as can't be folded are refused before the scan
        _begin(folder, manifest)
        if progress and contexts.summary is not None:
            tqdm.write(str(contexts.summary), file=sys.stderr)
        layers = config.numbers
        given = None if table is None else table[list(layers)]
        blocks = _scan(units, contexts, folder / SCAN, config, given, progress)
        affected = _merge(units, blocks, folder, config, given, progress)
        text = {"tokens": contexts.tokens, "documents": contexts.documents}
        write_tensors({**text, **units.pictures}, folder / CONTEXTS)
        ids = np.union1d(distinct(contexts.tokens), affected)
        write_table(units.vocabulary(ids), folder / VOCABULARY)
        write_table(survey(Atlas(folder, manifest), manifest.embedding, progress), folder / NEURONS)
        written = [layer_file(layer) for layer in layers] + [CONTEXTS, VOCABULARY, NEURONS]
        write_manifest(manifest, folder / MANIFEST, written)
        shutil.rmtree(folder / SCAN, ignore_errors=True)
    finally:
        lock.release()
    return open_atlas(folder)


def _check_kinds(model: object, contexts: object, config: object) -> None:
    from nbkit.corpora import Contexts
    from nbkit.models import LanguageModel
    from nbkit.models.units import Units

    for name, given, kind, maker in (
        ("model", model, LanguageModel | Units, "nbkit.load_model or nbkit.sae_latents"),
        ("contexts", contexts, Contexts, "nbkit.load_contexts"),
        ("config", config, AtlasConfig | None, "nbkit.AtlasConfig"),
    ):
        if not isinstance(given, kind):
            raise NbkitError(f"{name} is of type {type(given).__name__}: give what {maker} makes")


def _scan(
    units: Units, contexts: Contexts, folder: Path, config: AtlasConfig, maxima: Tensor | None, progress: bool
) -> Sequence[BlockFile]:
    """Scans the blocks that are not on disk yet; gives all of them in corpus order."""
    n, layers = len(contexts.tokens), config.numbers
    widest = max(site.n_units for site in units.sites if site.number in layers)
    bounds = Bounds(len(layers), widest, min(config.max_examples, n), units.device)
    starts = range(0, n, config.block_size)
    blocks = [BlockFile(folder / f"block-{number:06d}.safetensors") for number in range(len(starts))]
    sizes = [min(config.block_size, n - start) for start in starts]
    done = sum(size for block, size in zip(blocks, sizes, strict=True) if block.path.is_file())
    # What is on disk counts as `initial`: it must not raise the speed that the time left is reckoned from.
    with tqdm(total=n, initial=done, desc="scan", unit="context", smoothing=0.1, disable=not progress) as bar:
        for block, start, size in zip(blocks, starts, sizes, strict=True):
            if block.path.is_file():
                block.verify()  # a wrong bound would spoil all blocks behind it
                bounds.absorb(block, layers)
            else:
                found = scan_block(units, contexts, start, config, bounds, maxima)
                write_tensors(found, block.path)
                bounds.absorb(found, layers)
                del found  # before the next one is made
                bar.update(size)
    _return_freed_memory()
    return blocks


def _merge(
    units: Units,
    blocks: Sequence[BlockFile],
    folder: Path,
    config: AtlasConfig,
    maxima: Tensor | None,
    progress: bool,
) -> Int[np.ndarray, " n"]:
    """Writes the file of every layer; gives the ids of the tokens that neurons promote or suppress."""
    for block in blocks:
        block.verify()
    maximum = torch.stack([block["maximum"] for block in blocks]).amax(0)
    if maxima is not None:
        maximum = maxima.where(~maximum.isnan(), torch.nan)
    effects_of, affected = units.logit_effects(), np.empty(0, dtype=np.int32)
    for row, layer in enumerate(tqdm(config.numbers, desc="merge", unit="layer", disable=not progress)):
        weights = units.weights(layer)
        of_site = maximum[row, : len(weights.w_in)].contiguous()
        merged = merge_layer(blocks, layer, of_site, config) | {"maximum": of_site}
        merged |= merge_levels(blocks, layer, row)
        merged |= {name: tensor for name, tensor in vars(weights).items() if tensor is not None}
        if effects := effects_of(layer):
            affected = np.union1d(affected, torch.cat([effects["promoted_ids"], effects["suppressed_ids"]]))
            merged |= effects
        write_tensors(merged, folder / layer_file(layer))
        del merged
        _return_freed_memory()
    return affected


def _return_freed_memory() -> None:
    """Gives back what the C library keeps of freed tensors: blocks of ever other sizes leave it in pieces that the
    next layer doesn't fit in. Only glibc has it, and only glibc needs it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _is_finished(folder: Path, manifest: Manifest) -> bool:
    """Whether `folder` holds this very atlas, all of it; if not, it is empty or holds a part of it.

    Raises:
        NbkitError: if it holds anything else.
    """
    scan = folder / SCAN
    for path in (folder / MANIFEST, scan / IDENTITY):
        if not path.is_file():
            continue
        found, _ = read_manifest(path)
        if differences := manifest.differences(found):
            raise NbkitError(
                f"{folder} holds an atlas of another {', '.join(differences)}: choose another folder, or delete it"
            )
        return path.name == MANIFEST
    # A build that was killed before it wrote its identity leaves a lock, and a folder for the scan with nothing in it.
    inside = [path.name for path in scan.iterdir() if not is_leftover(path)] if scan.is_dir() else [SCAN]
    names = {path.name for path in folder.iterdir() if path.name != LOCK and (path != scan or inside)}
    if names:
        raise _foreign(folder, names)
    return False


def _begin(folder: Path, manifest: Manifest) -> None:
    """Makes a folder ready for its scan, or for going on with it.

    Raises:
        NbkitError: if the folder can't be written.
    """
    scan = folder / SCAN
    try:
        scan.mkdir(exist_ok=True)
    except OSError as error:
        raise not_writable(folder, error) from error
    sweep(folder)
    sweep(scan)
    if not (scan / IDENTITY).is_file():
        write_manifest(manifest, scan / IDENTITY)


def _foreign(folder: Path, names: set[str]) -> NbkitError:
    shown = ", ".join(sorted(names)[:3]) + (", …" if len(names) > 3 else "")
    return NbkitError(f"{folder} is not empty and holds no atlas ({shown}): choose another folder")


def _manifest(units: Units, contexts: Contexts, config: AtlasConfig, maxima: Tensor | None) -> Manifest:
    sites, around = units.sites, contexts.around
    before, after = (tuple(zip(ids, units.token_names(ids), strict=True)) for ids in around)
    return Manifest(
        schema=ATLAS_SCHEMA,
        model=units.name,
        model_sha256=units.fingerprint,
        corpus=contexts.name,
        contexts_sha256=contexts.sha256,
        n_contexts=len(contexts.tokens),
        length=contexts.tokens.shape[1],
        sites=tuple(site for site in sites if site.number in config.numbers),
        n_sites=len(sites),
        threshold=config.threshold,
        max_examples=config.max_examples,
        weights=config.weights,
        embedding=config.embedding,
        batch_size=config.batch_size,
        block_size=config.block_size,
        seed=config.seed,
        maxima_sha256=None if maxima is None else hashlib.sha256(maxima.numpy().tobytes()).hexdigest(),
        dtype=str(units.dtype).removeprefix("torch."),
        device=units.device.type,
        versions={name: version(name) for name in LIBRARIES},
        added_before=before,
        added_after=after,
        checkpoint=units.checkpoint,
        sign=config.sign,
        inputs=units.kind,
    )


def _checked_maxima(maxima: np.ndarray | None, units: Units) -> Tensor | None:
    if maxima is None:
        return None
    shape = (len(units.sites), max(site.n_units for site in units.sites))
    try:
        with np.errstate(over="ignore"):  # too large for float32 is infinite, and told below
            table = checked_array(maxima, "the maxima").astype(np.float32)
    except NbkitError as error:
        raise NbkitError(f"the table of maxima doesn't hold numbers ({str(error).removesuffix('.')})") from error
    if table.shape != shape:
        raise NbkitError(
            f"the table of maxima has shape {table.shape}: model {units.name!r} needs (layers, neurons) = {shape}"
        )
    if not np.isfinite(table).all():
        raise NbkitError("the table of maxima holds NaN or infinite values")
    return torch.from_numpy(table)
