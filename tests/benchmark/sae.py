"""Speed and memory of the training of sparse autoencoders: `python -m tests.benchmark.sae`, about five minutes.

What a step must cost at least. With b inputs a matrix product takes 2 b d_in d_sae operations. A standard step has five
(encoder, decoder, and the gradients of latents, encoder and decoder), the neuron-embedding (NE) loss four more (two for
the distances, two for their gradient) and a sum of the same size for its average. All computed for all latents, that is
9 / 5 = 1.8, and 2 with the average. Over the pairs of an input and a latent that it activates, L0 of them an input, a
product takes 2 b L0 d_in. Only the encoder's must be whole, so with s = L0 / d_sae the floor falls to
(1 + 9 s) / (1 + 4 s): 1.05 at s = 1%.

Bytes: Adam passes 14 times over a matrix of d_in x d_sae, the products and gradients of a standard step 7 times. A
single kernel of the NE loss would pass 5 times over one (read weights and average, write the average, add to the
gradient); PyTorch's operators make it 32. At 576 x 4,608 those passes are the NE loss's price. At 64 x 512 it is the 45
calls of operators, at 5 to 10 microseconds each.

Memory: the NE loss keeps one matrix of that size, its averages, and has two more at a time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from ast import literal_eval
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import embedding

from nbkit.corpora import load_contexts
from nbkit.mnist.hidden import hidden_of
from nbkit.models import LanguageModel, load_model
from nbkit.sae.config import SaeConfig
from nbkit.sae.loss import NeuronEmbeddingLoss
from nbkit.sae.training import STACK
from nbkit.sae.training_run import TrainingRun
from tests.sae.test_loss import PlainLoop

LAYER = 6
"""Of SmolLM2-135M, whose pre-MLP vectors are 576 wide."""
EARLY = 2
"""Steps after which nearly half of the latents are still active."""
MANY = 100
"""Of our losses, for one of the paper's loop."""


@dataclass(frozen=True)
class Size:
    """A size of autoencoder, and how far it is trained before anything is measured."""

    name: str
    data: Float[Tensor, "n d_in"]
    config: SaeConfig
    ne: float
    k: int
    """Of TopK latents."""
    warm_up: int
    """Steps of training, after which latents are sparse."""
    rounds: int
    steps: int
    """In a round, of each side."""


def main(model: LanguageModel) -> None:
    paper = Size("64 x 512, batch 128", hidden_of(0).train, SaeConfig(epochs=100), 3e-3, 10, 450, 40, 10)
    large = SaeConfig(d_sae=4608, batch_size=1024, l1=1e-6, ne_start=0, epochs=100)
    wide = Size("576 x 4,608, batch 1,024", pre_mlp_vectors(model), large, 1e-6, 32, 150, 8, 2)
    memory(wide)
    for threads in sorted({1, min(2, os.cpu_count() or 1)}):
        torch.set_num_threads(threads)
        print(f"with {threads} thread{'s' * (threads > 1)}:")
        embedding_loss_from_one_state(paper, "at most 1.5")
        embedding_loss(paper)
        embedding_loss_in_a_stack(paper)
        embedding_loss_from_one_state(wide, "at most 2.0")
        plain_loop(paper)
        if find_spec("sparsify") is not None:
            against_sparsify(paper)
            against_sparsify(wide)
    if find_spec("sparsify") is None:
        print(
            "not compared with sparsify: `pip install eai-sparsify`, in a copy of this environment, and run this there"
        )


def pre_mlp_vectors(model: LanguageModel, n_contexts: int = 256) -> Float[Tensor, "n 576"]:
    """What the MLP of a layer reads on the first contexts of the Brown corpus, of mean square 1."""
    tokens, parts = load_contexts("brown", model, limit=n_contexts).tokens, []
    with model.captured([LAYER], lambda _, pre_mlp, __: parts.append(pre_mlp[:, 1:].flatten(0, 1).float())) as run:
        for start in range(0, n_contexts, 16):
            run(torch.from_numpy(tokens[start : start + 16]))
    vectors = torch.cat(parts).clone()
    return vectors / vectors.square().mean().sqrt()


def embedding_loss(size: Size) -> None:
    """Each side with the weights that it has itself trained: more latents are active with the loss."""
    standard, with_ne = trained(size), trained(size, ne=size.ne)
    ratio = compared(size, standard.advance, with_ne.advance)
    say(f"NE step / standard step, {size.name}, each with its own weights", ratio, "", standard, with_ne)


def embedding_loss_in_a_stack(size: Size) -> None:
    stack, stack_ne = trained(size, n=STACK), trained(size, n=STACK, ne=size.ne)
    ratio = compared(size, stack.advance, stack_ne.advance, size.steps // 5)
    say(f"NE step / standard step, a stack of {STACK} of them", ratio, "", stack, stack_ne)
    for name, together, ne in (("standard", stack, 0.0), ("NE", stack_ne, size.ne)):
        one = trained(size, ne=ne)
        ratio = compared(size, together.advance, lambda one=one: [one.advance() for _ in range(STACK)], 1)  # type: ignore[misc]
        say(f"{STACK} {name} steps, one after the other / in a stack", ratio, "")


def embedding_loss_from_one_state(size: Size, most: str) -> None:
    """Both sides with the weights of the same standard run, hardly or well trained."""
    for warm_up, steps, target in ((EARLY, 1, ""), (size.warm_up, size.steps, most)):
        standard = trained(replace(size, warm_up=warm_up))
        with_ne = like(standard, ne=size.ne)
        ratio = compared(
            replace(size, rounds=size.rounds if warm_up > EARLY else 3), standard.advance, with_ne.advance, steps
        )
        say(f"NE step / standard step, {size.name}, after {warm_up} steps", ratio, target, standard, with_ne)


def plain_loop(size: Size) -> None:
    """Loss, gradient and average against the paper's loop over inputs and active latents."""
    run = trained(size, ne=size.ne)
    state, w = run.forward(run.batch()), run.weights["w_enc"]
    z, ours, plain = state.z.detach(), run.embedding_loss, PlainLoop(run.config.momentum, "pairs")
    assert isinstance(ours, NeuronEmbeddingLoss)
    plain.average = {j: ours.average[j].clone() for j in ours.seen.nonzero()[:, 0].tolist()}

    def step(loss: Callable[..., Tensor], update: Callable[..., None]) -> None:
        torch.autograd.grad(loss(state.h, z, w), w)
        update(state.h, z)

    def many() -> None:
        for _ in range(MANY):
            step(ours, ours.update)

    fast, slow = compared(replace(size, rounds=3), many, lambda: step(plain.loss, plain.update), steps=1)
    say("the paper's loop / our loss, gradient and average included", (fast / MANY, slow), "at least 100", run)


def against_sparsify(size: Size) -> None:
    """The same shapes, batch and Adam; theirs is a TopK coder."""
    theirs = Sparsify(size)
    for name, config in (("relu", {}), ("topk", {"activation": "topk", "k": size.k, "l1": 0.0})):
        ours = trained(replace(size, config=replace(size.config, **config)))
        ratio = compared(size, ours.advance, theirs.advance)
        say(f"our throughput / sparsify's (k = {size.k}), {size.name}, {name}", ratio, "at least 1", ours)


class Sparsify:
    """EleutherAI's coder in a plain training loop."""

    def __init__(self, size: Size) -> None:
        module: Any = import_module("sparsify")
        d_in, config = size.data.shape[1], size.config
        torch.manual_seed(0)
        options = module.SparseCoderConfig(num_latents=config.d_sae, k=size.k, normalize_decoder=False)
        self.coder = module.SparseCoder(d_in, options)
        self.optimizer = torch.optim.Adam(
            self.coder.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self.data, self.batches = size.data, torch.randperm(len(size.data)).split(config.batch_size)[:-1]
        self.step = 0

    def advance(self) -> None:
        out = self.coder(embedding(self.batches[self.step % len(self.batches)], self.data))
        self.optimizer.zero_grad()
        out.fvu.backward()
        self.optimizer.step()
        self.step += 1


def memory(size: Size) -> None:
    """Peak memory of processes of their own that take some steps, beyond their libraries and data."""
    with tempfile.TemporaryDirectory() as folder:
        data, path = Path(folder) / "data.safetensors", Path(folder) / "run.safetensors"
        save_file({"data": size.data}, data)
        for warm_up, target in ((EARLY, ""), (size.warm_up, " (at most 1.2)")):
            standard = trained(replace(size, warm_up=warm_up))
            peaks = []
            for run in (standard, like(standard, size.ne)):
                run.save(path)
                command = [sys.executable, "-m", "tests.benchmark.sae", str(data), str(path), repr(asdict(run.config))]
                peaks.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            print(
                f"peak memory of NE steps / standard steps, {size.name}, after {warm_up} steps: "
                f"{peaks[1] / peaks[0]:.2f}{target}; {peaks[1]:.0f} and {peaks[0]:.0f} MB, L0 {l0(standard):.0f}"
            )


def memory_once(data: str, path: str, config: str) -> None:
    """Weights, Adam's averages, gradients and all that a step needs, in MB."""
    torch.set_num_threads(1)
    activations = load_file(data)["data"].clone()  # the file's own pages are given back
    before = resident("VmRSS")
    run = TrainingRun(activations, [SaeConfig(**literal_eval(config))])
    run.restore(Path(path))
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    for _ in range(4):
        run.advance()
    print(resident("VmHWM") - before)


def resident(kind: str) -> float:
    """Memory of this process in MB, now (VmRSS) or at most (VmHWM), on Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith(kind))


def trained(size: Size, ne: float = 0.0, n: int = 1) -> TrainingRun:
    run = TrainingRun(size.data, [replace(size.config, ne=ne, seed=seed) for seed in range(n)])
    for _ in range(size.warm_up):
        run.advance()
    return run


def like(run: TrainingRun, ne: float) -> TrainingRun:
    """A run with the NE loss, with the weights of another and Adam's averages, and that has seen two batches."""
    other = TrainingRun(run.data, [replace(run.config, ne=ne, ne_start=0)])
    with torch.no_grad():
        for name, weight in other.weights.items():
            weight.copy_(run.weights[name])
    other.optimizer.load_state_dict(run.optimizer.state_dict())
    other.step = run.step
    for _ in range(2):
        other.advance()
    return other


def compared(
    size: Size, first: Callable[[], object], second: Callable[[], object], steps: int | None = None
) -> tuple[float, float]:
    """Median seconds of each of the two, which take turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(size.rounds):
        for function, seconds in zip((first, second), times, strict=True):
            for _ in range(size.steps if steps is None else steps):
                begin = time.perf_counter()
                function()
                seconds.append(time.perf_counter() - begin)
    return median(times[0]), median(times[1])


def say(what: str, seconds: tuple[float, float], target: str, *runs: TrainingRun) -> None:
    first, second = (1e3 * each for each in seconds)
    density = f", L0 {' and '.join(f'{l0(run):.0f}' for run in runs)} of {runs[0].config.d_sae:,}" if runs else ""
    wanted = f" ({target})" if target else ""
    print(f"  {what}: {second / first:.2f}{wanted}; {second:.2f} and {first:.2f} ms{density}")


@torch.no_grad()
def l0(run: TrainingRun) -> float:
    return float((run.forward(run.batch()).z > 0).sum(-1).float().mean())


if __name__ == "__main__":
    if len(sys.argv) == 4:
        memory_once(*sys.argv[1:])
    else:
        main(load_model("smollm2-135m"))
