"""One worker process and two, that scan blocks at the same time: how long they take to be there, and to scan."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.scan import BlockScan, scan_block
from nbkit.files import write_tensors
from nbkit.models import load_model
from nbkit.models.neurons import MlpNeurons
from nbkit.parallel.pool import in_processes
from nbkit.studies.shared.text_and_model import without_bars

if TYPE_CHECKING:
    from nbkit.corpora import Contexts

ROUNDS = 2
"""Times that one worker and two take turns."""


@dataclass(frozen=True)
class OneAndTwo:
    """Worker processes with one thread each, on this machine."""

    start: float
    """Seconds until two have opened the model."""
    one: float
    """Seconds that one alone takes for a block, over all rounds,"""
    two: float
    """and that two take for two blocks."""
    rounds: int = ROUNDS

    @property
    def efficiency(self) -> float:
        """Contexts a second of two, by twice those of one."""
        return self.one / self.two


def one_and_two(units: MlpNeurons, text: Contexts, config: AtlasConfig) -> OneAndTwo:
    """Lets them scan the first two blocks of a text, in turn, files included.

    Args:
        units: of a model that is opened by its name.
        text: two blocks at least.
        config: a resolved one.
    """
    few = replace(text, tokens=text.tokens[: 2 * config.block_size], documents=text.documents[: 2 * config.block_size])
    named = (units.model.name, str(units.dtype).removeprefix("torch."), units.device.type, units.read)

    def together(*blocks: int) -> list[tuple[float, float]]:
        tasks = [(named, few, config, block) for block in blocks]
        found: list[tuple[float, float]] = in_processes(_scan_alone, tasks, 2, "workers", "block", progress=False)
        return found

    asked, one, two = time.time(), 0.0, 0.0
    ready = max(begin for begin, _ in together(-1, -1))
    for _ in range(ROUNDS):
        one += sum(end - begin for begin, end in together(0))
        begins, ends = zip(*together(0, 1), strict=True)
        two += max(ends) - min(begins)
    return OneAndTwo(ready - asked, one, two)


def _scan_alone(named: Sequence[str], text: Contexts, config: AtlasConfig, number: int) -> tuple[float, float]:
    """Scans a block in this process, none if it is -1; gives when it began and when the file was written."""
    units = _opened(*named)
    begin = time.time()
    if number >= 0:
        with tempfile.TemporaryDirectory(prefix="nbkit-") as folder:
            block = scan_block(BlockScan(units, text, number * config.block_size, config))
            write_tensors(block, Path(folder) / "block.safetensors")
            return begin, time.time()
    return begin, begin


@lru_cache(maxsize=1)
def _opened(model: str, dtype: Any, device: str, read: Any) -> MlpNeurons:
    with without_bars():
        return MlpNeurons(load_model(model, dtype, device), read)
