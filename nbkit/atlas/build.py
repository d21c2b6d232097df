"""Building an atlas: scan, merge and metrics, safe against interruption at any moment."""

from __future__ import annotations

import ctypes
import shutil
from contextlib import nullcontext, suppress
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.build_folder import begin, is_finished, locked, share
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.job import SCAN, AtlasJob, scan_bar, scan_missing
from nbkit.atlas.manifest import (
    CONTEXTS,
    MANIFEST,
    NEURONS,
    VOCABULARY,
    layer_file,
    write_manifest,
)
from nbkit.atlas.neuron_table import survey
from nbkit.atlas.places import LocalPlace, Place
from nbkit.atlas.remote import RemotePlace
from nbkit.errors import NbkitError
from nbkit.files import user_path, write_table, write_tensors
from nbkit.method.checks import checked_array, shown
from nbkit.models.neurons import units_of
from nbkit.parallel.cluster import Crew, check_client, on_cluster

if TYPE_CHECKING:
    from distributed import Client

    from nbkit.corpora import Contexts
    from nbkit.models import LanguageModel
    from nbkit.models.units import Units

BLOCKS_A_TASK = 32
"""Blocks whose maximum a worker finds at once."""


def build_atlas(
    model: LanguageModel | Units,
    contexts: Contexts,
    out: str | Path,
    config: AtlasConfig | None = None,
    maxima: Float[np.ndarray, "sites units"] | None = None,
    progress: bool = True,
    client: Client | None = None,
    shared: str | None = None,
) -> Atlas:
    """Scans the contexts and leaves an atlas in the folder `out`; goes on where an interrupted build stopped.

    A pure function of its arguments: the same units, contexts and config give the same bytes, interrupted or not, in
    one process or on a cluster. A finished atlas of the same arguments is opened, not built again; one of another
    embedding is given with the one that is asked for, whose tables are made on first use (see `Atlas.with_embedding`).

    Args:
        model: a language model, whose MLP neurons are meant, or what `nbkit.sae_latents` makes of autoencoders of one.
        contexts: what `load_contexts` gives.
        out: the folder.
        config: what to scan for; the defaults are the paper's but for the embedding.
        maxima: the units' maximum activations, if they are known from a larger corpus (the paper took Neuroscope's),
            a row for each site and a column for each unit of the largest; None measures them on `contexts`. Of a config
            whose `sign` isn't positive, the largest strengths (see `nbkit.models.sign`).
        progress: whether to show bars.
        client: a `dask.distributed.Client`, on whose workers blocks are scanned, layers merged and metrics computed;
            None does it in this process. A worker opens a model by its name where it was opened by one.
        shared: where workers leave what they made, if they don't see `out`: an address of fsspec's such as
            s3://bucket/folder. What is left there can be deleted in the end.

    Raises:
        NbkitError: an argument doesn't fit the model; `out` holds something else; the folder can't be written; workers
            don't see the folder, have another model or version, or failed three times.
    """
    job, folder = open_job(model, contexts, out, config, maxima), user_path(out)
    if client is not None:
        check_client(client)
    if shared is not None:
        job.place = _shared_place(shared, client)
    manifest = job.manifest()
    if (folder / MANIFEST).is_file() and is_finished(folder, manifest):  # needs no lock, nor a disk to write one on
        shutil.rmtree(folder / SCAN, ignore_errors=True)
        return open_atlas(folder).with_embedding(manifest.embedding)
    with locked(folder):
        if is_finished(folder, manifest):
            shutil.rmtree(folder / SCAN, ignore_errors=True)
            return open_atlas(folder).with_embedding(manifest.embedding)
        begin(folder, job, manifest)
        if client is None:
            affected = _build_alone(job, progress)
        else:
            share(folder, job, manifest)
            affected = _build_on(client, job, progress)
            job.place.fetch([layer_file(layer) for layer in job.config.numbers], folder)
        text = {"tokens": contexts.tokens, "documents": contexts.documents}
        write_tensors({**text, **job.units.pictures}, folder / CONTEXTS)
        ids = np.union1d(contexts.ids, affected)
        write_table(job.units.vocabulary(ids), folder / VOCABULARY)
        with nullcontext() if client is None or shared is not None else on_cluster(client):
            metrics = survey(Atlas(folder.absolute(), manifest), manifest.embedding, progress)
        write_table(metrics, folder / NEURONS)
        written = [layer_file(layer) for layer in job.config.numbers] + [CONTEXTS, VOCABULARY, NEURONS]
        write_manifest(manifest, folder / MANIFEST, written)
        shutil.rmtree(folder / SCAN, ignore_errors=True)
    return open_atlas(folder)


def scan_blocks(
    model: LanguageModel | Units,
    contexts: Contexts,
    out: str | Path,
    blocks: slice = slice(None),
    config: AtlasConfig | None = None,
    maxima: Float[np.ndarray, "sites units"] | None = None,
    progress: bool = True,
) -> tuple[int, int]:
    """Scans some blocks of an atlas, as one of many processes that have the folder `out` in common; `build_atlas` with
    the same arguments makes the atlas of them when all are there.

    Args:
        model, contexts, out, config, maxima, progress: see `build_atlas`.
        blocks: which of the numbers of all blocks, from 0; block b holds the contexts from b * config.block_size on.
            Those that are done are left as they are.

    Returns:
        How many of all blocks are done now, and how many there are.

    Raises:
        NbkitError: `blocks` is no slice of numbers; see `build_atlas`.
    """
    job, folder = open_job(model, contexts, out, config, maxima), user_path(out)
    try:
        wanted = range(job.n_blocks)[blocks]
        assert isinstance(wanted, range)
    except (LookupError, TypeError, ValueError, AssertionError) as error:
        raise NbkitError(
            f"blocks is {shown(blocks)}: give a slice of numbers of blocks, such as slice(0, 40)"
        ) from error
    manifest = job.manifest()
    with locked(folder):
        if is_finished(folder, manifest):
            return job.n_blocks, job.n_blocks
        begin(folder, job, manifest)
        there = job.scanned()
    missing = [number for number in wanted if number not in there]
    with tqdm(total=sum(map(job.size, missing)), desc="scan", unit="context", disable=not progress) as bar:
        for number in missing:
            bar.update(job.scan_among_others(number))
    with locked(folder):  # another process may have merged the blocks meanwhile
        return (job.n_blocks if is_finished(folder, manifest) else len(job.scanned())), job.n_blocks


def check_scanned(
    model: LanguageModel | Units,
    contexts: Contexts,
    out: str | Path,
    config: AtlasConfig | None = None,
    maxima: Float[np.ndarray, "sites units"] | None = None,
) -> None:
    """Raises NbkitError unless `scan_blocks` has scanned all blocks of the atlas that these arguments make."""
    job, folder = open_job(model, contexts, out, config, maxima), user_path(out)
    if not folder.is_dir():
        raise NbkitError(f"there is no folder {folder}: scan the blocks first, with nbkit scan --out {folder}")
    if not is_finished(folder, job.manifest()) and (missing := sorted(set(range(job.n_blocks)) - job.scanned())):
        raise NbkitError(
            f"{len(missing)} of the {job.n_blocks} blocks of {folder} are not scanned, the first of them {missing[0]}: "
            f"run nbkit scan --blocks {missing[0]}:{missing[-1] + 1} with the same options: it leaves out those "
            "that are done"
        )


def open_job(
    model: LanguageModel | Units,
    contexts: Contexts,
    out: str | Path,
    config: AtlasConfig | None = None,
    maxima: Float[np.ndarray, "sites units"] | None = None,
) -> AtlasJob:
    """The parts of the atlas that `build_atlas` makes of these arguments.

    Raises:
        NbkitError: they don't fit each other.
    """
    _check_kinds(model, contexts, config)
    units = units_of(model, (config or AtlasConfig()).weights)
    resolved = (config or AtlasConfig()).resolved(units)
    units.check_contexts(contexts)
    return AtlasJob(units, contexts, resolved, checked_maxima(maxima, units), LocalPlace(user_path(out).absolute()))


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


def _build_alone(job: AtlasJob, progress: bool) -> Int[np.ndarray, " n"]:
    """Scans what is missing, and writes the file of every layer; gives the ids of the tokens that units promote or
    suppress."""
    scan_missing([job], job.units, progress)
    _return_freed_memory()
    maximum, affected = job.reached(job.maximum()), np.empty(0, dtype=np.int32)
    for row, layer in enumerate(tqdm(job.config.numbers, desc="merge", unit="layer", disable=not progress)):
        affected = np.union1d(affected, job.merge(layer, maximum[row]))
        _return_freed_memory()
    return affected


def _build_on(client: Client, job: AtlasJob, progress: bool) -> Int[np.ndarray, " n"]:
    """`_build_alone` on the workers of a cluster."""
    there, affected = job.scanned(), np.empty(0, dtype=np.int32)
    missing = [number for number in range(job.n_blocks) if number not in there]
    blocks = {f"block {number}": (number,) for number in missing}
    with Crew(client, job) as crew:
        with scan_bar(job, missing, progress) as bar:
            for _, size in crew.each(AtlasJob.scan_among_others, blocks, gradually=True):
                bar.update(size)
        parts = {
            f"maximum from block {first}": (first, first + BLOCKS_A_TASK)
            for first in range(0, job.n_blocks, BLOCKS_A_TASK)
        }
        maximum = job.reached(reduce(torch.maximum, (part for _, part in crew.each(AtlasJob.maximum, parts))))
        layers = {f"layer {layer}": (layer, maximum[row]) for row, layer in enumerate(job.config.numbers)}
        merged = crew.each(AtlasJob.merge, layers)
        for _, of_layer in tqdm(merged, total=len(layers), desc="merge", unit="layer", disable=not progress):
            affected = np.union1d(affected, of_layer)
    return affected


def _return_freed_memory() -> None:
    """Gives back what the C library keeps of freed tensors: blocks of ever other sizes leave it in pieces that the
    next layer doesn't fit in. Only glibc has it, and only glibc needs it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _shared_place(shared: object, client: Client | None) -> Place:
    if client is None:
        raise NbkitError("shared is for the workers of a client: give client, too, or leave shared out")
    if not isinstance(shared, str) or "://" not in shared:
        raise NbkitError(
            f"shared is {shown(shared)}: give an address such as s3://bucket/folder, or leave it out where all workers "
            "see the atlas's folder"
        )
    return RemotePlace(shared)


def checked_maxima(maxima: np.ndarray | None, units: Units) -> Float[Tensor, "sites units"] | None:
    """The table of maxima that `build_atlas` is given, as float32.

    Raises:
        NbkitError: it doesn't fit the units.
    """
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
