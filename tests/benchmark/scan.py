"""Speed and memory of the scan of a language model and of what follows it, on the text of the default profile."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from nbkit.assets import cache_folder
from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.cached import atlas_for
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.manifest import MANIFEST
from nbkit.atlas.neuron_table import survey
from nbkit.atlas.scan import BlockScan, Bounds, scan_block
from nbkit.corpora import Contexts, load_contexts
from nbkit.errors import NbkitError
from nbkit.explorers import DendrogramExplorer
from nbkit.features.showcase import several_behaviors
from nbkit.files import write_tensors
from nbkit.models import LanguageModel, load_model
from nbkit.models.neurons import MlpNeurons

BLOCKS = 10
"""Of the 79 of the default profile: the first ones, which cost most, since little is ruled out yet."""
MEMORY_CONTEXTS = (1_000, 10_000)


def main(model: LanguageModel) -> None:
    contexts = load_contexts("brown", model, limit=20_000)
    tokens_per_second = scan_against_bare_forward(model, contexts)
    atlas = largest_atlas()
    metrics_against_scan(atlas, tokens_per_second)
    opening(atlas)
    page_data(atlas)
    memory()


def scan_against_bare_forward(model: LanguageModel, contexts: Contexts) -> float:
    """Scan, block files included, against the bare Hugging Face model without its unembedding, block by block."""
    units = MlpNeurons(model)
    config = AtlasConfig().resolved(units)
    bounds = Bounds(len(config.numbers), model.d_mlp, config.max_examples)
    bare, scan = [], []
    with tempfile.TemporaryDirectory() as folder:
        bare_forward(model, contexts, 0, config.batch_size, config.batch_size)  # warm up
        for start in range(0, BLOCKS * config.block_size, config.block_size):
            bare.append(timed(bare_forward, model, contexts, start, config.block_size, config.batch_size))
            begin = time.perf_counter()
            block = scan_block(BlockScan(units, contexts, start, config, bounds))
            write_tensors(block, Path(folder) / "block.safetensors")
            bounds.absorb(block, config.numbers)
            scan.append(time.perf_counter() - begin)
    n_tokens = config.block_size * contexts.tokens.shape[1]
    speed = n_tokens * BLOCKS / sum(bare)
    print(f"bare forward pass: {speed:,.0f} tokens/s ({model.dtype}, {torch.get_num_threads()} threads)")
    by_block = ", ".join(f"{b / s:.3f}" for b, s in zip(bare, scan, strict=True))
    print(f"scan / bare forward, throughput by block: {by_block}")
    print(f"scan / bare forward, throughput: {sum(bare) / sum(scan):.3f} (at least 0.90)")
    return float(n_tokens * BLOCKS / sum(scan))


def bare_forward(model: LanguageModel, contexts: Contexts, start: int, n: int, batch_size: int) -> None:
    with torch.inference_mode():
        for offset in range(start, start + n, batch_size):
            tokens = torch.tensor(contexts.tokens[offset : offset + batch_size]).long().to(model.device)
            model.network.model(tokens, use_cache=False)


def metrics_against_scan(atlas: Atlas, tokens_per_second: float) -> None:
    seconds = timed(survey, atlas, atlas.manifest.embedding, False)
    scan_seconds = atlas.manifest.n_contexts * atlas.manifest.length / tokens_per_second
    scan_seconds *= (max(atlas.layers) + 1) / atlas.manifest.n_sites
    print(f"clustering and metrics of {len(atlas.neurons):,} neurons: {seconds:.1f} s")
    print(f"clustering and metrics / scan, time: {seconds / scan_seconds:.3f} (at most 0.10)")


def opening(atlas: Atlas) -> None:
    times = []
    rng = np.random.default_rng(0)
    for _ in range(20):
        layer, index = atlas.at(int(rng.integers(atlas.n_neurons)))
        times.append(timed(lambda layer=layer, index=index: open_atlas(atlas.path).neuron(layer, index).examples))
    median, worst = np.median(times) * 1e3, max(times) * 1e3
    print(f"opening an atlas and one neuron: median {median:.1f} ms, maximum {worst:.1f} ms (at most 50)")


def page_data(atlas: Atlas) -> None:
    widget = DendrogramExplorer(several_behaviors(atlas).neuron)
    size = len(json.dumps(widget.get_state(), default=str))
    print(f"state of the dendrogram on its page: {size / 1e3:.0f} kB (at most 1,000)")


def memory() -> None:
    """Peak memory of whole builds of one layer with more and more contexts, each in a process of its own."""
    peaks = []
    for limit in MEMORY_CONTEXTS:
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [sys.executable, "-m", "tests.benchmark.scan", str(limit), folder],
                check=True,
                capture_output=True,
                text=True,
            )
        peaks.append(float(done.stdout.strip().splitlines()[-1]))
        print(f"peak memory with {limit:,} contexts, one layer: {peaks[-1]:.2f} GB")
    few, many = MEMORY_CONTEXTS
    print(f"peak memory, {many:,} contexts / {few:,}: {peaks[1] / peaks[0]:.3f} (at most 1.10)")


def build_once(limit: int, folder: str) -> None:
    from nbkit.atlas.build import build_atlas

    model = load_model("smollm2-135m")
    contexts = load_contexts("brown", model, limit=limit)
    build_atlas(model, contexts, folder, AtlasConfig(layers=[0]), progress=False)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


def largest_atlas() -> Atlas:
    """The largest finished atlas in the cache, that of the default profile if it was built; else the quick one."""
    atlases = []
    for path in (cache_folder() / "atlases").glob(f"smollm2-135m-*/{MANIFEST}"):
        with suppress(NbkitError):  # one of an older schema
            atlases.append(open_atlas(path.parent))
    atlases = atlases or [atlas_for(limit=384, layers=[2, 5, 8])]
    largest = max(atlases, key=lambda atlas: len(atlas.layers) * atlas.manifest.n_contexts)
    print(f"atlas: {largest.path.name}, {len(largest.neurons):,} neurons, {largest.manifest.n_contexts:,} contexts")
    return largest


def timed(function, *arguments) -> float:  # type: ignore[no-untyped-def]
    begin = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begin


if __name__ == "__main__":
    build_once(int(sys.argv[1]), sys.argv[2])
