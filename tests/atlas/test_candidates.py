"""What the merge keeps of candidates: the same however few it looks at together, and few at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from nbkit.atlas import candidates
from nbkit.atlas.candidates import Candidates, filled, rank_in_group, selected
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.levels import N_BANDS, merge_levels
from nbkit.atlas.merge import merge_layer
from nbkit.atlas.snippets import WINDOW

N_UNITS, WIDTH = 5, 3


def make_block(rng: np.random.Generator, number: int, n: int = 60) -> dict[str, Tensor]:
    """What a block of n candidates for examples and as many for levels might give, with many equal activations."""

    def columns(prefix: str) -> dict[str, Tensor]:
        context = np.sort(rng.integers(number * 100, number * 100 + 100, n)).astype(np.int32)
        return {
            f"{prefix}.neuron": torch.from_numpy(rng.integers(0, N_UNITS, n).astype(np.int32)),
            f"{prefix}.context": torch.from_numpy(context),
            f"{prefix}.position": torch.from_numpy(rng.integers(0, 9, n).astype(np.int32)),
            f"{prefix}.activation": torch.from_numpy(2.0 ** rng.integers(-3, 3, n)).float(),
            f"{prefix}.window": torch.from_numpy(rng.random((n, WINDOW), dtype=np.float32)),
        }

    count = torch.from_numpy(rng.integers(2, 9, (N_UNITS, N_BANDS)).astype(np.int32))
    pre_mlp = torch.from_numpy(rng.random((n // 2, WIDTH), dtype=np.float32))
    vector = torch.from_numpy(rng.integers(0, n // 2, n).astype(np.int32))
    block = columns("0") | columns("0.level") | {"0.vector": vector, "0.pre_mlp": pre_mlp, "0.level.count": count}
    return block | {"maximum": torch.full((1, N_UNITS), 4.0)}


def plain_merge(blocks: list[dict[str, Tensor]], config: AtlasConfig) -> list[tuple[list[int], list[list[float]], int]]:
    """Of each unit the contexts and read vectors that are kept, and how many of them are examples, all read at once."""
    rows = [
        (int(block["0.neuron"][i]), float(block["0.activation"][i]), int(block["0.context"][i]), block, i)
        for block in blocks
        for i in range(len(block["0.neuron"]))
    ]
    found = []
    for unit in range(N_UNITS):
        own = [row for row in rows if row[0] == unit and row[1] >= config.threshold * 4]
        strongest = sorted(range(len(own)), key=lambda i: -own[i][1])[: min(10, config.max_examples)]
        kept = [row for i, row in enumerate(own) if i < config.max_examples or i in strongest]
        vectors = [block["0.pre_mlp"][block["0.vector"][i]].tolist() for *_, block, i in kept]
        found.append(([row[2] for row in kept], vectors, min(len(own), config.max_examples)))
    return found


@pytest.mark.parametrize("together", [1, 50, 1 << 18])
@pytest.mark.parametrize(("max_examples", "threshold"), [(1, 0.2), (7, 0.5), (40, 0.01), (10_000, 1.0)])
def test_the_merge_of_parts_is_the_merge_of_all(
    together: int, max_examples: int, threshold: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    blocks = [make_block(rng, number) for number in range(9)]
    config = AtlasConfig(max_examples=max_examples, threshold=threshold)
    levels = merge_levels(blocks, 0, 0)
    monkeypatch.setattr(candidates, "CANDIDATES_TOGETHER", together)
    merged = merge_layer(blocks, 0, torch.full((N_UNITS,), 4.0), config)
    vectors = merged["pre_mlp"][merged["vector"].long()]
    for unit, (contexts, read, n_examples) in enumerate(plain_merge(blocks, config)):
        own = slice(*merged["offsets"][unit : unit + 2].tolist())
        assert merged["context"][own].tolist() == contexts
        assert vectors[own].tolist() == read
        assert merged["n_examples"][unit] == n_examples
    for name, tensor in merge_levels(blocks, 0, 0).items():
        assert torch.equal(tensor, levels[name]), name


def test_few_more_than_are_kept_are_looked_at_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "CANDIDATES_TOGETHER", 100)
    seen: list[int] = []

    def first_three(some: Candidates) -> Tensor:
        seen.append(len(some.neuron))
        order = some.neuron.argsort(stable=True)
        return order[rank_in_group(some.neuron[order]) < 3]

    rng = np.random.default_rng(0)
    blocks = [make_block(rng, number) for number in range(200)]
    kept = selected(blocks, "0", first_three)
    assert max(seen) <= 3 * N_UNITS + 100 + 60 and sum(seen) > 200 * 60
    assert kept.neuron.tolist() == sorted([*range(N_UNITS)] * 3)
    assert int(kept.source.max()) < 2, "the first in corpus order are among the first blocks"


def test_rows_are_filled_from_the_blocks_that_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    class Told(dict[str, Tensor]):
        def __getitem__(self, name: str) -> Tensor:
            read.append(int(super().__getitem__(name)[0, 0]))
            return super().__getitem__(name)

    blocks = [Told(some=torch.full((4, 2), number) + torch.arange(4)[:, None] / 10) for number in range(4)]
    source, row = torch.tensor([3, 0, 3, 0, 3]), torch.tensor([2, 1, 0, 1, 3])
    found = filled(blocks, "some", source, row)
    torch.testing.assert_close(found[:, 1], torch.tensor([3.2, 0.1, 3.0, 0.1, 3.3]))
    assert set(read) == {0, 3}
    assert filled(blocks, "some", source[:0], row[:0]).shape == (0, 2)
