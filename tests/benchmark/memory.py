"""Peak memory with more and more contexts: `python -m tests.benchmark.memory`, about three minutes.

A tiny random model, so that the contexts are all that can grow. What must grow, and how far: reading takes a batch of
text with its tokens (256,000 characters), 8 MB of contexts and 8 MB of checksums, and each is reached by 100,000
contexts. A scan takes a block, and the examples of a neuron until it has all that it keeps. A merge takes what a layer
keeps, of each neuron at most `max_examples` and its ten strongest contexts, with the vectors that they share less the
more contexts there are. Beside these there are a few hundred bytes a block, names and checksums of its file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from nbkit.atlas.build import build_atlas, scan_blocks
from nbkit.corpora import load_contexts, open_contexts
from nbkit.models import LanguageModel, load_model
from tests.benchmark.sae import resident
from tests.examples.tiny_models import make_model

SIZES = (1_000, 10_000, 100_000)
LENGTH = 32


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        make_model("llama", Path(folder) / "model")
        for stage in STAGES:
            runs = [_measured(stage, n, folder) for n in SIZES]
            for n, (peak, beyond) in zip(SIZES, runs, strict=True):
                print(
                    f"{stage} {n:,} contexts: peak memory {peak:.0f} MB, of which {beyond:.1f} are not the libraries' "
                    f"and the model's; / {SIZES[0]:,} contexts: {peak / runs[0][0]:.3f} (at most 1.10)"
                )


def _measured(stage: str, n: int, folder: str) -> tuple[float, float]:
    """Peak memory of a stage in a process of its own, and beyond what there was at its beginning, in MB."""
    command = [sys.executable, "-m", "tests.benchmark.memory", stage, str(n), folder]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    peak, before = map(float, said.split()[-2:])
    return peak, peak - before


def read(model: LanguageModel, n: int, folder: Path) -> None:
    rng = np.random.default_rng(0)

    def texts() -> Iterator[str]:
        while True:
            yield rng.integers(ord("a"), ord("z") + 1, 40 * (LENGTH - 1), dtype=np.uint8).tobytes().decode()

    load_contexts(texts(), model, LENGTH, n, out=folder / f"contexts-{n}")


def scan(model: LanguageModel, n: int, folder: Path) -> None:
    scan_blocks(model, open_contexts(folder / f"contexts-{n}"), folder / f"atlas-{n}", progress=False)


def merge(model: LanguageModel, n: int, folder: Path) -> None:
    """And what follows it: the table of metrics."""
    build_atlas(model, open_contexts(folder / f"contexts-{n}"), folder / f"atlas-{n}", progress=False)


STAGES: dict[str, Callable[[LanguageModel, int, Path], None]] = {"reading": read, "scanning": scan, "merging": merge}


def measure_once(stage: str, n: int, folder: Path) -> None:
    model = load_model(folder / "model", dtype="float32", device="cpu")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    before = resident("VmRSS")
    STAGES[stage](model, n, folder)
    print(resident("VmHWM"), before)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        measure_once(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
