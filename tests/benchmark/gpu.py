"""What a GPU takes for a scan and for token importance: `python -m tests.benchmark.gpu`, some minutes on one GPU.

The scan stands against the bare forward pass, with all blocks on disk. How much is kept of a block falls with the
contexts before it, so the ratio is told for runs of several lengths. SmolLM2-135M reads windows of the Brown corpus
that begin at every 16th token, in random order. Models of random weights have the shapes of GPT2-small and Llama-3-8B.

Random weights are a hard case: no unit is rare, and a hundred thousand contexts come near every unit's maximum. So the
large one is given maxima, four times what its first contexts reach: then a unit keeps one context of two thousand, as
the hundred largest of two hundred thousand would have it.

What a scan must cost at least: a pass over the activations, and the forward pass.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

import nbkit.features.importance
from nbkit.atlas.build import build_atlas, open_job
from nbkit.atlas.build_folder import begin
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.job import SCAN, scan_missing
from nbkit.corpora import Contexts, load_contexts
from nbkit.features.importance import keep_importance
from nbkit.features.table import features_of
from nbkit.models import LanguageModel, load_model
from nbkit.models.neurons import MlpNeurons
from nbkit.models.values import Values

STRIDE = 16
"""Tokens between the beginnings of two contexts."""
IMPORTANCE_CONTEXTS, IMPORTANCE_NEURONS = 2048, 200
"""Of the atlas whose token importance is timed; neurons of each of its layers."""
IMPORTANCE_LAYERS = (10, 20)


def main(names: Sequence[str]) -> None:
    if not torch.cuda.is_available():
        print("scan on a GPU: not measured, PyTorch sees none here")
        return
    print(torch.cuda.get_device_name(), torch.__version__)
    for name in names or RUNS:
        RUNS[name]()


def smollm2() -> None:
    model = load_model("smollm2-135m", dtype="bfloat16")
    for n_contexts in (8_192, 79_000):
        scan_against_bare_forward(model, n_contexts, 256, 1024)


def gpt2() -> None:
    scan_against_bare_forward(random_model("gpt2-small", GPT2LMHeadModel, GPT2Config()), 16_384, 256, 1024)


def llama() -> None:
    sizes = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32}
    config = LlamaConfig(**sizes, num_key_value_heads=8, vocab_size=128_256, rope_theta=5e5)
    model = random_model("llama-3-8b", LlamaForCausalLM, config)
    scan_against_bare_forward(model, 1_024, 64, 128, maxima=4 * largest(model, 64))


def random_model(name: str, kind: type, config: object) -> LanguageModel:
    """With the tokenizer of SmolLM2-135M, whose ids all of them have."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        network = kind(config)
    torch.set_default_dtype(torch.float32)
    model = replace(load_model(network, tokenizer=small_model().tokenizer), name=f"random-{name}")
    model.__dict__["fingerprint"] = name  # of weights that nobody keeps: 16 GB would be read back for it
    return model


@cache
def small_model() -> LanguageModel:
    return load_model("smollm2-135m", device="cpu")


@cache
def many_contexts() -> Contexts:
    brown = load_contexts("brown", small_model(), limit=20_000)
    windows = np.lib.stride_tricks.sliding_window_view(brown.tokens.reshape(-1), brown.tokens.shape[1])[::STRIDE]
    order = np.random.default_rng(0).permutation(len(windows))
    return replace(brown, tokens=windows[order], documents=np.zeros(len(windows), np.int32), vocabulary_sha256=None)


def some_contexts(n: int) -> Contexts:
    return replace(many_contexts(), tokens=many_contexts().tokens[:n], documents=np.zeros(n, np.int32))


def largest(model: LanguageModel, n_contexts: int) -> Float[np.ndarray, "layers neurons"]:
    """The neurons' largest activations in the first contexts."""
    contexts, found = some_contexts(n_contexts), torch.zeros(model.n_layers, model.d_mlp, device=model.device)

    def note(layer: int, _: Tensor, values: Values) -> None:
        peaks, _finite = values.peaks(1, contexts.tokens.shape[1], torch.zeros(127, dtype=torch.bool), "positive")
        found[layer] = torch.maximum(found[layer], peaks.amax(0))

    with MlpNeurons(model).reading(range(model.n_layers), note) as read:
        for start in range(0, n_contexts, 16):
            read(contexts, slice(start, start + 16))
    return found.cpu().numpy()


def scan_against_bare_forward(
    model: LanguageModel,
    n_contexts: int,
    batch_size: int,
    block_size: int,
    maxima: Float[np.ndarray, "layers neurons"] | None = None,
) -> None:
    contexts, config = some_contexts(n_contexts), AtlasConfig(batch_size=batch_size, block_size=block_size)
    bare_forward(model, contexts, 4 * batch_size, batch_size)  # warm up
    few = min(n_contexts, 16 * batch_size)
    bare = timed(lambda: bare_forward(model, contexts, few, batch_size)) * n_contexts / few
    with tempfile.TemporaryDirectory() as name:
        job = open_job(model, contexts, name, config, maxima)
        begin(Path(name), job, job.manifest())
        torch.cuda.reset_peak_memory_stats()
        scan = timed(lambda: scan_missing([job], job.units, False))
        size = sum(path.stat().st_size for path in (Path(name) / SCAN).iterdir())
    tokens = contexts.tokens.size
    print(
        f"{model.name}, {model.n_layers * model.d_mlp:,} neurons, {model.dtype}, batches of {batch_size}, blocks of "
        f"{block_size} contexts, {tokens:,} tokens: bare {tokens / bare:,.0f} tokens/s, scan {tokens / scan:,.0f}, "
        f"scan / bare {bare / scan:.3f}; blocks {size / 1e9:.2f} GB, "
        f"of the GPU's memory {torch.cuda.max_memory_allocated() / 1e9:.1f} GB",
        flush=True,
    )


def bare_forward(model: LanguageModel, contexts: Contexts, n: int, batch_size: int) -> None:
    with torch.inference_mode():
        for offset in range(0, n, batch_size):
            tokens = torch.tensor(contexts.tokens[offset : offset + batch_size]).long().to(model.device)
            model.network.base_model(tokens, use_cache=False)


def importance() -> None:
    """In passes of as many tokens as on a CPU, and of as many as on a GPU; of other neurons."""
    model, config = (
        load_model("smollm2-135m", dtype="bfloat16"),
        AtlasConfig(layers=IMPORTANCE_LAYERS, batch_size=256, block_size=1024),
    )
    sizes = nbkit.features.importance.BATCH_TOKENS
    with tempfile.TemporaryDirectory() as name:
        atlas = build_atlas(model, some_contexts(IMPORTANCE_CONTEXTS), name, config, progress=False)
        table = features_of(atlas, False)
        for turn, tokens in enumerate((sizes["cpu"], sizes["cuda"])):
            some = range(turn * IMPORTANCE_NEURONS, (turn + 1) * IMPORTANCE_NEURONS)
            neurons = [(layer, index) for layer in IMPORTANCE_LAYERS for index in some]
            n_features = int(table["index"].isin(some).sum())
            sizes["cuda"] = tokens
            seconds = timed(partial(keep_importance, model, atlas, neurons, progress=False))
            print(
                f"token importance, passes of {tokens:,} tokens: {n_features:,} features in {seconds:.1f} s, "
                f"{n_features / seconds:,.1f} a second; {60 * len(neurons) / seconds:,.0f} neurons a minute",
                flush=True,
            )


def timed(work: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    begin = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - begin


RUNS: dict[str, Callable[[], None]] = {"smollm2": smollm2, "gpt2": gpt2, "llama": llama, "importance": importance}


if __name__ == "__main__":
    main(sys.argv[1:])
