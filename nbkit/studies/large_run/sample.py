"""A few blocks of an atlas's text, scanned again with a clock: what `Coefficients` are measured on."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.levels import merge_levels
from nbkit.atlas.manifest import layer_file
from nbkit.atlas.merge import merge_layer
from nbkit.atlas.neuron_table import neuron_metrics
from nbkit.atlas.places import LocalPlace
from nbkit.atlas.scan import Block, BlockScan, Bounds, scan_block
from nbkit.errors import NbkitError
from nbkit.files import read_tensors
from nbkit.method.checks import checked_whole
from nbkit.models.neurons import MlpNeurons
from nbkit.studies.large_run.shape import Shape
from nbkit.studies.large_run.worker_processes import OneAndTwo, one_and_two
from nbkit.studies.shared.text_and_model import model_of, spread

if TYPE_CHECKING:
    from nbkit.corpora import Contexts
    from nbkit.models import LanguageModel

RECORD = ("neuron", "context", "position", "activation", "vector", "window")
"""What a block tells of a candidate; of a level's example all but the vector."""


@dataclass(frozen=True, eq=False)
class Sample:
    """What was measured."""

    shape: Shape
    n_contexts: int
    """Of the atlas's text."""
    length: int
    block_size: int
    max_examples: int
    """That the atlas keeps of a neuron."""
    blocks: pd.DataFrame
    """A row for each block: `seen` contexts before it, seconds `bare`, `scan` and `write`, `bytes` of its file,
    `candidates` and `levels` of a neuron, `vectors` of a layer."""
    last: dict[str, float]
    """Those counts of a block behind the atlas's whole text. What they fall to is measured over the atlas's layers,
    if it hasn't all."""
    bytes_of: dict[str, float]
    """Of a `candidate`, a `level`, a `neuron`, and a coordinate (`number`)."""
    check: float
    """Seconds of checking all blocks."""
    merge: float
    """Seconds of merging some layers, tokens that neurons promote apart,"""
    merged_bytes: float
    """the bytes of theirs in all blocks,"""
    effects: float
    """and the seconds for a layer's promoted tokens."""
    metrics: float
    """Seconds for the metrics of one neuron."""
    workers: OneAndTwo
    threads: int
    """Of this process."""
    cores: int
    """Of this machine."""
    load: float
    """Processes that were running on this machine when the sample began, on average over a minute; NaN where the system
    doesn't tell."""


def take_sample(
    atlas: Atlas,
    n_blocks: int = 3,
    block_size: int = 32,
    n_layers: int = 2,
    n_neurons: int = 200,
    seed: int = 0,
    progress: bool = True,
) -> Sample:
    """Scans the first contexts of an atlas's text again, all layers, and merges some of them.

    Args:
        atlas: of the neurons of a language model.
        n_blocks: at least 2: what falls from block to block is measured, too.
        block_size: contexts of each.
        n_layers: that are merged, spread over the model.
        n_neurons: of the atlas, whose metrics are computed; drawn from those that have some.
        seed: of the draw.
        progress: whether `transformers` may show its bars.

    Raises:
        NbkitError: the atlas is of other units, the text is too short, no neuron has metrics, or the model can't open.
    """
    n_blocks, block_size = checked_whole("n_blocks", n_blocks, 2), checked_whole("block_size", block_size, 1)
    m = atlas.manifest
    if m.unit != "neuron":
        raise NbkitError(f"atlas {atlas.path} is of {m.unit}s: a large run is planned from one of a model's neurons")
    if m.n_contexts < n_blocks * block_size:
        raise NbkitError(
            f"atlas {atlas.path} has {m.n_contexts} contexts, {n_blocks} blocks of {block_size} have more: measure on "
            "fewer, or on an atlas of more text"
        )
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else np.nan
    model = model_of(atlas, progress)
    units = MlpNeurons(model, m.weights)
    config = AtlasConfig(weights=m.weights, batch_size=m.batch_size, block_size=block_size)
    config = replace(config, threshold=m.threshold, max_examples=m.max_examples, sign=m.sign).resolved(units)
    text = atlas.contexts
    with tempfile.TemporaryDirectory(prefix="nbkit-") as folder:
        place = LocalPlace(Path(folder))
        rows, last_block = _scan(model, units, text, config, n_blocks, place)
        parts = [place.part(f"block-{number}.safetensors") for number in range(n_blocks)]
        first = _counts(parts[0], atlas.layers)
        begin = time.perf_counter()
        for part in parts:
            part.verify("")
        check = time.perf_counter() - begin
        layers = [config.numbers[place] for place in spread(len(config.numbers), n_layers)]
        begin = time.perf_counter()
        for layer in layers:
            maximum = torch.stack([part["maximum"][layer] for part in parts]).amax(0)
            merged = merge_layer(parts, layer, maximum, config) | merge_levels(parts, layer, layer)
            place.write(merged, layer_file(layer))
        merge = time.perf_counter() - begin
        of_layers = tuple(f"{layer}." for layer in layers)
        merged_bytes = sum(part[name].nbytes for part in parts for name in part if name.startswith(of_layers))
    effects_of = units.logit_effects()
    begin = time.perf_counter()
    for layer in layers:
        effects_of(layer)
    effects = (time.perf_counter() - begin) / len(layers)
    far = replace(config, layers=atlas.layers)
    last = BlockScan(units, text, m.n_contexts - block_size, far, bounds_behind(atlas))
    behind = _counts(scan_block(last), atlas.layers)
    return Sample(
        shape=Shape.of(model),
        n_contexts=m.n_contexts,
        length=m.length,
        block_size=block_size,
        max_examples=m.max_examples,
        blocks=pd.DataFrame(rows),
        last={name: rows[0][name] * behind[name] / first[name] for name in behind},
        bytes_of=_record_bytes(last_block, config.numbers),
        check=check,
        merge=merge,
        merged_bytes=float(merged_bytes),
        effects=effects,
        metrics=_metrics(atlas, n_neurons, seed),
        workers=one_and_two(units, text, config),
        threads=torch.get_num_threads(),
        cores=os.cpu_count() or 1,
        load=load,
    )


def bounds_behind(atlas: Atlas) -> Bounds:
    """What the whole text of an atlas says to a block behind it (see `nbkit.atlas.scan`)."""
    m, block = atlas.manifest, {}
    widest = max(site.n_units for site in m.sites)
    maximum = torch.full((len(m.layers), widest), -torch.inf)
    for row, layer in enumerate(m.layers):
        tensors = read_tensors(atlas.path / layer_file(layer))
        maximum[row, : len(tensors["maximum"])] = tensors["maximum"]
        block[f"{layer}.neuron"] = torch.arange(len(tensors["maximum"])).repeat_interleave(tensors["offsets"].diff())
        block[f"{layer}.activation"] = tensors["activation"]
        block[f"{layer}.level.count"] = tensors["level_count"]
    bounds = Bounds(len(m.layers), widest, m.max_examples)
    bounds.absorb({"maximum": maximum, **block}, m.layers)
    return bounds


def _scan(
    model: LanguageModel, units: MlpNeurons, text: Contexts, config: AtlasConfig, n_blocks: int, place: LocalPlace
) -> tuple[list[dict[str, float]], Block]:
    """The rows of `Sample.blocks`, the scan between two halves of the bare pass, and the last block; the files are left
    at the place."""
    bounds, rows, block = Bounds(len(config.numbers), model.d_mlp, config.max_examples, units.device), [], {}
    _bare(model, text, 0, min(config.batch_size, config.block_size), config)  # warms up
    for number in range(n_blocks):
        seen = number * config.block_size
        half = -(-config.block_size // 2)
        times = [time.perf_counter()]
        _bare(model, text, seen, half, config)
        times.append(time.perf_counter())
        block = scan_block(BlockScan(units, text, seen, config, bounds))
        bounds.absorb(block, config.numbers)
        times.append(time.perf_counter())
        place.write(block, f"block-{number}.safetensors")
        times.append(time.perf_counter())
        _bare(model, text, seen + half, config.block_size - half, config)
        times.append(time.perf_counter())
        before, scan, write, after = np.diff(times).tolist()
        seconds = {"bare": before + after, "scan": scan, "write": write}
        size = (place.folder / f"block-{number}.safetensors").stat().st_size
        rows.append({"seen": seen, **seconds, "bytes": size, **_counts(block, config.numbers)})
    return rows, block


def _bare(model: LanguageModel, text: Contexts, start: int, n: int, config: AtlasConfig) -> None:
    """The forward pass of the blocks alone, as Hugging Face has it."""
    with torch.inference_mode():
        for offset in range(start, start + n, config.batch_size):
            tokens = text.tokens[offset : min(offset + config.batch_size, start + n)]
            model.network.base_model(torch.from_numpy(np.array(tokens)).long().to(model.device), use_cache=False)
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)


def _counts(block: Mapping[str, Tensor], layers: Sequence[int]) -> dict[str, float]:
    """Records of a neuron, and vectors of a layer."""
    n_neurons = sum(len(block[f"{layer}.level.count"]) for layer in layers)
    total = {
        name: sum(len(block[f"{layer}.{tensor}"]) for layer in layers)
        for name, tensor in (("candidates", "neuron"), ("levels", "level.neuron"), ("vectors", "pre_mlp"))
    }
    return {
        "candidates": total["candidates"] / n_neurons,
        "levels": total["levels"] / n_neurons,
        "vectors": total["vectors"] / len(layers),
    }


def _record_bytes(block: Block, layers: Sequence[int]) -> dict[str, float]:
    """See `Sample.bytes_of`."""
    layer = layers[0]

    def of_row(*names: str) -> float:
        return float(sum(_row_bytes(block[f"{layer}.{name}"]) for name in names))

    return {
        "candidate": of_row(*RECORD),
        "level": of_row(*(f"level.{name}" for name in RECORD if name != "vector")),
        "neuron": float(of_row("level.count") + block["maximum"].element_size()),
        "number": float(block[f"{layer}.pre_mlp"].element_size()),
    }


def _row_bytes(tensor: Tensor) -> int:
    """Of a row of a tensor that may have none."""
    return int(np.prod(tensor.shape[1:], dtype=int)) * tensor.element_size()


def _metrics(atlas: Atlas, n_neurons: int, seed: int) -> float:
    """Seconds for the metrics of a neuron, over some that have them, drawn at random."""
    table = atlas.neurons[atlas.neurons["mean_distance"].notna()]
    if table.empty:
        raise NbkitError(f"atlas {atlas.path} has no neuron with metrics: scan more text")
    drawn = table.sample(min(checked_whole("n_neurons", n_neurons, 1), len(table)), random_state=seed).sort_index()
    words, kind = atlas.words, atlas.manifest.embedding
    begin = time.perf_counter()
    for layer, index in zip(drawn["layer"], drawn["index"], strict=True):
        neuron_metrics(atlas.neuron(int(layer), int(index)), kind, words, None)
    return (time.perf_counter() - begin) / len(drawn) * len(table) / len(atlas.neurons)
