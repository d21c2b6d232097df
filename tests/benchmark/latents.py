"""Speed and memory of the scan of an autoencoder's latents: `python -m tests.benchmark.latents`, about eight minutes.

TopK autoencoders of 4,608 latents, k = 32, at two hook points of the 13th of SmolLM2-135M's 30 blocks, trained here for
a few seconds: 32 latents are active at a token with any weights, and after that nearly all are at some.

What a scan must cost at least. For every token the pass up to the 13th block takes 13 times 2 x 3.5 million operations
and attention's, about 95 million; the encoder's product 2 x 576 x 4,608, 5.3 million. So no scan of all latents gets
beyond 1 / (1 + 5.3 / 95) = 0.95 of the bare pass. All else passes over memory: the product writes 18 kB of
pre-activations a token, and choosing the 32 largest reads them once. Behind that are 144 times fewer pairs of a token
and an active latent than pairs of a token and a latent, 12 bytes each.

Sparse latents don't make a scan three times as fast as that of a dense layer of their width, and can't: pass and
product are the same, and nearly all of it. What sparsity can save is a pass or two over the pre-activations, and
choosing the largest costs one. Behind the activations either scan takes what its candidates take, which are about as
many. What sparsity does save is memory: 0.8 MB instead of 38 MB for a batch of 2,048 tokens.

Times are CPU seconds of one thread, so that other programs on the machine hardly change the ratios.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.scan import BlockScan, Bounds, scan_block
from nbkit.corpora import Contexts, load_contexts
from nbkit.models import LanguageModel, load_model
from nbkit.models.hook_points import hooked
from nbkit.models.values import DenseValues, Values
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.config import SaeConfig
from nbkit.sae.training import train_sae
from nbkit.units.latents import SaeLatents, sae_latents

HOOKS = ("blocks.12.mlp.hook_in", "blocks.12.hook_resid_post")
D_SAE, K = 4608, 32
TRAINED_ON = 64
"""Contexts."""
BLOCKS, BLOCK_SIZE = 4, 48
"""The first ones of a corpus cost most, since little is ruled out yet."""
SITES = ("blocks.0.hook_resid_post", "blocks.1.hook_resid_post", "blocks.2.mlp.hook_in", "blocks.2.hook_resid_post")
"""Of the atlases whose memory is compared: early ones, for the sake of time."""
MEMORY_CONTEXTS = (256, 512)
EXAMPLES = 30
"""Of a latent at most, in those atlases: clustering more takes longer."""


def main(model: LanguageModel) -> None:
    contexts, threads = load_contexts("brown", model, limit=20_000), torch.get_num_threads()
    torch.set_num_threads(1)
    saes = {hook: trained(model, contexts, hook) for hook in HOOKS}
    for hook, sae in saes.items():
        against_bare_forward_and_dense(model, contexts, hook, sae)
    torch.set_num_threads(threads)
    memory(next(iter(saes.values())))


def trained(model: LanguageModel, contexts: Contexts, hook: str) -> SparseAutoencoder:
    """On vectors of mean 0 and mean square 1, which is then taken into its weights."""
    vectors = torch.cat([part.flatten(0, 1) for part in model.capture(contexts, hook, stop=TRAINED_ON)]).float()
    mean = vectors.mean(0)
    scale = float((vectors - mean).square().mean().sqrt())
    config = SaeConfig(d_sae=D_SAE, activation="topk", k=K, l1=0, weight_decay=0, batch_size=256, epochs=2)
    sae = train_sae((vectors - mean) / scale, config, progress=False).requires_grad_(False)
    sae.w_enc.div_(scale)
    sae.w_dec.mul_(scale)
    sae.b_dec.mul_(scale).add_(mean)
    sae.hook = hook
    return sae


@dataclass(frozen=True, eq=False)
class Watched(SaeLatents):
    """Latents that note how long the model took until it had the vectors, and they until they had their values."""

    reached: list[float] = field(default_factory=list)
    """When the model had the vectors."""
    active: list[float] = field(default_factory=list)
    """When the latents had their values."""
    read: list[Tensor] = field(default_factory=list)
    """The vectors."""

    def values(  # type: ignore[override]
        self, site: int, vectors: Sequence[Tensor]
    ) -> tuple[Float[Tensor, "b t width"], Values]:
        self.reached.append(time.process_time())
        self.read.append(vectors[0])
        values = self.activations(site, vectors)
        self.active.append(time.process_time())
        return values

    def activations(self, site: int, vectors: Sequence[Tensor]) -> tuple[Float[Tensor, "b t width"], Values]:
        return super().values(site, vectors)


class Dense(Watched):
    """The encoder as a layer of neurons with ReLU: every neuron has an activation at every token."""

    def activations(self, site: int, vectors: Sequence[Tensor]) -> tuple[Float[Tensor, "b t width"], Values]:
        return vectors[0], DenseValues(product(self.saes[site], vectors[0]).relu_())


def product(sae: SparseAutoencoder, vectors: Float[Tensor, "b t d_in"]) -> Float[Tensor, "b t d_sae"]:
    bias = sae.b_enc - sae.b_dec @ sae.w_enc
    return torch.addmm(bias, vectors.flatten(0, 1), sae.w_enc).view(*vectors.shape[:2], -1)


@dataclass(frozen=True)
class Seconds:
    """Of the scan of a block of contexts."""

    whole: float
    model: float
    """Of the model's pass in it."""
    behind_product: float
    """Without the model's pass and the encoder's product."""
    behind_activations: float
    """Without the pass and all that the units' activations take."""


def against_bare_forward_and_dense(model: LanguageModel, contexts: Contexts, hook: str, sae: SparseAutoencoder) -> None:
    """Block by block, in turn: the bare pass up to the hook point, the scan of latents, and that of a dense layer."""
    units = sae_latents(model, sae)
    made = {each.name: getattr(units, each.name) for each in fields(units)}
    config = AtlasConfig(block_size=BLOCK_SIZE).resolved(units)
    bounds = [Bounds(1, D_SAE, config.max_examples) for _ in range(2)]
    bare, latents, dense = list[float](), list[Seconds](), list[Seconds]()
    bare_forward(model, contexts, hook, 0, config.batch_size, config.batch_size)  # warm up
    for start in range(0, BLOCKS * BLOCK_SIZE, BLOCK_SIZE):
        bare.append(cpu(bare_forward, model, contexts, hook, start, BLOCK_SIZE, config.batch_size))
        latents.append(scanned(Watched(**made), contexts, start, config, bounds[0]))
        dense.append(scanned(Dense(**made), contexts, start, config, bounds[1]))
    n_tokens = BLOCKS * BLOCK_SIZE * contexts.tokens.shape[1]
    print(f"{hook}, {n_tokens:,} tokens, bare forward pass up to there: {n_tokens / sum(bare):,.0f} tokens/s, ", end="")
    print(f"{int((bounds[0].maximum > 0).sum()):,} of {D_SAE:,} latents active")
    by_block = ", ".join(f"{b / s.whole:.3f}" for b, s in zip(bare, latents, strict=True))
    ratio = sum(bare) / sum(each.whole for each in latents)
    print(f"  scan of latents / bare forward, throughput: {ratio:.3f} (at least 0.85), by block {by_block}")
    share = sum(each.model for each in latents) / sum(each.whole for each in latents)
    print(f"  share of its own pass in the scan of latents, which noise of the machine hardly changes: {share:.3f}")
    for name in ("whole", "behind_product", "behind_activations"):
        ours, theirs = ([getattr(each, name) for each in kind] for kind in (latents, dense))
        by_block = ", ".join(f"{d / s:.2f}" for d, s in zip(theirs, ours, strict=True))
        speed = sum(theirs) / sum(ours)
        print(
            f"  scan of latents / of a dense layer, {name.replace('_', ' ')}, speed: {speed:.2f}, "
            f"by block {by_block}; microseconds a token: {1e6 * sum(ours) / n_tokens:.0f} and "
            f"{1e6 * sum(theirs) / n_tokens:.0f}"
        )


def scanned(units: Watched, contexts: Contexts, start: int, config: AtlasConfig, bounds: Bounds) -> Seconds:
    begun: list[float] = []
    handle = units.model.network.register_forward_pre_hook(lambda *_: begun.append(time.process_time()))
    begin = time.process_time()
    block = scan_block(BlockScan(units, contexts, start, config, bounds))
    seconds = time.process_time() - begin
    handle.remove()
    bounds.absorb(block, config.numbers)
    passes = sum(r - b for r, b in zip(units.reached, begun, strict=True))
    own = seconds - passes
    with torch.inference_mode():
        products = sum(cpu(product, units.saes[0], vectors) for vectors in units.read)
    values = sum(a - r for a, r in zip(units.active, units.reached, strict=True))
    return Seconds(seconds, passes, own - products, own - values)


def bare_forward(model: LanguageModel, contexts: Contexts, hook: str, start: int, n: int, batch_size: int) -> None:
    with hooked(model.network, model.device, [model.hook_point(hook)], lambda *_: None) as run:
        for offset in range(start, start + n, batch_size):
            run(torch.tensor(contexts.tokens[offset : min(offset + batch_size, start + n)]))


def cpu(function: Callable[..., object], *arguments: object) -> float:
    begin = time.process_time()
    function(*arguments)
    return time.process_time() - begin


def memory(sae: SparseAutoencoder) -> None:
    """Peak memory of whole builds, each in a process of its own: of all sites and one, of many contexts and few.

    With so few contexts as fit in here nearly every token is an example of some latent, so the atlas of a site still
    grows with them, and with it what a site takes.
    """
    few, many = MEMORY_CONTEXTS
    with tempfile.TemporaryDirectory() as folder:
        sae.hook = None
        sae.save(Path(folder) / "sae")
        peaks = {}
        for sites, limit in ((1, few), (len(SITES), few), (1, many), (len(SITES), many)):
            command = [sys.executable, "-m", "tests.benchmark.latents", folder, str(sites), str(limit)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            peaks[sites, limit] = float(done.stdout.strip().splitlines()[-1])
            print(f"peak memory with {limit:,} contexts, sites: {sites}: {peaks[sites, limit]:.2f} GB")
    for limit in MEMORY_CONTEXTS:
        ratio = peaks[len(SITES), limit] / peaks[1, limit]
        print(f"peak memory with {limit:,} contexts, {len(SITES)} sites / 1: {ratio:.3f} (at most 1.10)")
    for sites in (1, len(SITES)):
        ratio = peaks[sites, many] / peaks[sites, few]
        print(f"peak memory, sites: {sites}, {many:,} contexts / {few:,}: {ratio:.3f} (at most 1.10)")


def build_once(folder: str, sites: int, limit: int) -> None:
    """Weights are the same at every site: memory doesn't ask what they are."""
    model = load_model("smollm2-135m")
    contexts = load_contexts("brown", model, limit=limit)
    units = sae_latents(model, {hook: Path(folder) / "sae" for hook in SITES[-sites:]})
    config = AtlasConfig(max_examples=EXAMPLES, block_size=64)
    build_atlas(units, contexts, Path(folder) / f"atlas-{sites}-{limit}", config, progress=False)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        build_once(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        main(load_model("smollm2-135m"))
