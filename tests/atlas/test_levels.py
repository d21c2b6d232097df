"""The levels of activation against a slow reference that stores every activation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.levels import (
    N_BANDS,
    N_SHOWN,
    Level,
    LevelCounts,
    LevelScan,
    band,
    low_edge,
    merge_levels,
    read_levels,
)
from nbkit.atlas.scan import BlockScan, Bounds, scan_block
from nbkit.atlas.snippets import TOKENS_AFTER, TOKENS_BEFORE, WINDOW
from nbkit.corpora import Contexts
from nbkit.models import LanguageModel
from nbkit.models.neurons import MlpNeurons
from nbkit.models.sign import SIGNS, Sign
from tests.examples.tiny_models import D_MLP, N_LAYERS, random_contexts

ARCHITECTURES = ("gpt2", "bert", "llama")

Found = tuple[float, float, int, list[tuple[int, int, float, list[float]]]]
"""Edges and count of a band, and its examples: context, position, peak, window."""


def edges(peak: float) -> tuple[float, float]:
    """The band of a peak by frexp, in float64."""
    mantissa, exponent = math.frexp(peak)
    half = 2.0 ** (exponent - 1)
    return (half, 1.5 * half) if mantissa < 0.75 else (1.5 * half, 2 * half)


def reference(traces: np.ndarray, special: np.ndarray, sign: Sign = "positive") -> list[Found]:
    """The levels of one neuron from its activations on every token (contexts, t)."""
    strengths = {"positive": traces, "negative": -traces, "both": np.abs(traces)}[sign]
    usable = np.where(special, -np.inf, strengths)
    peaks = usable.max(1)
    found: list[Found] = []
    top = edges(peaks.max()) if peaks.max() > 0 else None
    for below in range(N_BANDS if top else 0):
        assert top is not None
        low, high = top[0] * 2.0 ** -(below // 2), top[1] * 2.0 ** -(below // 2)
        if below % 2:  # the next band down
            low, high = (low / 1.5, low) if math.frexp(low)[0] == 0.75 else (0.75 * low, low)
        members = [context for context, peak in enumerate(peaks) if low <= peak < high]
        examples = []
        for context in members[:N_SHOWN]:
            position = int(usable[context].argmax())
            at = range(position - TOKENS_BEFORE, position + TOKENS_AFTER + 1)
            window = [float(traces[context, i]) if 0 <= i < traces.shape[1] else 0.0 for i in at]
            examples.append((context, position, float(traces[context, position]), window))
        found.append((low, high, len(members), examples))
    while found and not found[-1][2]:
        found.pop()
    return found


def plain(levels: Sequence[Level]) -> list[Found]:
    """Levels in the reference's form."""
    return [
        (
            level.low,
            level.high,
            level.count,
            list(
                zip(*(getattr(level, name).tolist() for name in ("context", "position", "peak", "window")), strict=True)
            ),
        )
        for level in levels
    ]


def activations(model: LanguageModel, contexts: Contexts, batch_size: int) -> dict[int, np.ndarray]:
    """All activations of all layers, in the passes of a scan, so that rounding is the same."""
    stored: dict[int, list[Tensor]] = {layer: [] for layer in range(model.n_layers)}
    with model.captured(range(model.n_layers), lambda layer, _, values: stored[layer].append(values.clone())) as run:
        for start in range(0, len(contexts.tokens), batch_size):
            run(torch.from_numpy(contexts.tokens[start : start + batch_size]))
    return {layer: torch.cat(values).numpy() for layer, values in stored.items()}


def scan(
    model: LanguageModel, contexts: Contexts, config: AtlasConfig, *, independent: bool
) -> list[dict[str, Tensor]]:
    units = MlpNeurons(model)
    config = config.resolved(units)
    bounds = Bounds(len(config.numbers), model.d_mlp, config.max_examples)
    blocks = []
    for start in range(0, len(contexts.tokens), config.block_size):
        blocks.append(scan_block(BlockScan(units, contexts, start, config, None if independent else bounds)))
        bounds.absorb(blocks[-1], config.numbers)
    return blocks


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("independent", [False, True], ids=["bounded", "independent"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_equals_a_reference_that_stores_everything(
    architecture: str, independent: bool, sign: Sign, tiny_model: Callable[[str], LanguageModel]
) -> None:
    model, contexts = tiny_model(architecture), random_contexts(150, 40, last_special=architecture == "bert")
    blocks = scan(model, contexts, AtlasConfig(batch_size=8, block_size=20, sign=sign), independent=independent)
    sizes = set()
    for layer, stored in activations(model, contexts, 8).items():
        merged = merge_levels(blocks, layer, layer)
        for neuron in range(D_MLP):
            expected = reference(stored[..., neuron], contexts.special, sign)
            assert plain(read_levels(merged, neuron)) == expected, (layer, neuron)
            sizes |= {(len(expected), count) for _, _, count, _ in expected}
    below_zero_is_flat = sign == "negative" and architecture != "llama"  # GELU: above -0.17
    assert {count for _, count in sizes} >= {0, 1, 2} and max(n for n, _ in sizes) > (2 if below_zero_is_flat else 5)


def test_what_earlier_blocks_found_is_not_stored_again(tiny_model: Callable[[str], LanguageModel]) -> None:
    model, contexts = tiny_model("llama"), random_contexts(200, 32)
    config = AtlasConfig(batch_size=20, block_size=100)
    bounded, apart = (scan(model, contexts, config, independent=independent) for independent in (False, True))
    assert len(bounded[1]["1.level.window"]) < 0.5 * len(apart[1]["1.level.window"])
    assert torch.equal(bounded[1]["1.level.count"], apart[1]["1.level.count"])
    for layer in range(N_LAYERS):
        for name, tensor in merge_levels(bounded, layer, layer).items():
            assert torch.equal(tensor, merge_levels(apart, layer, layer)[name]), (layer, name)


@pytest.mark.parametrize("maxima", [None, np.full((N_LAYERS, D_MLP), 1e6)], ids=["measured", "given"])
def test_an_atlas_gives_the_levels_whatever_its_table_of_maxima(
    maxima: np.ndarray | None, tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    model, contexts = tiny_model("gpt2"), random_contexts(40, 24)
    config = AtlasConfig(layers=[0, 2], batch_size=8, block_size=16)
    atlas = build_atlas(model, contexts, tmp_path, config, maxima, progress=False)
    stored = activations(model, contexts, 8)
    for layer in atlas.layers:
        for neuron in atlas.iterate(layer):
            assert plain(neuron.levels) == reference(stored[layer][..., neuron.index], contexts.special)
            assert all(len(level.context) == min(level.count, N_SHOWN) for level in neuron.levels)
            assert all(level.window.shape == (len(level.context), WINDOW) for level in neuron.levels)


PEAKS = st.one_of(
    st.floats(-1, 8, width=32),
    st.floats(min_value=0, allow_nan=False, allow_infinity=False, width=32),  # subnormal and huge ones among them
    st.floats(0, 2.0**-120, width=32),
    st.sampled_from([0.0, -0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 2.0**-5, 1.5 * 2.0**-6]),  # the edges themselves
)


@given(PEAKS.filter(lambda peak: peak >= 2.0**-127))
def test_a_band_holds_its_peak_and_its_edges_meet(peak: float) -> None:
    number = int(band(torch.tensor([peak]))[0])
    low, high = low_edge(np.array([number, number + 1])).tolist()
    assert low <= peak < high
    if number > 1:  # below lie the subnormal numbers
        assert (low, high) == edges(peak)


@settings(max_examples=200)
@given(st.lists(st.lists(PEAKS, min_size=2, max_size=2), min_size=1, max_size=80), st.integers(1, 7), st.integers(1, 4))
def test_bounds_never_change_what_the_merge_gives(rows: list[list[float]], size: int, n_passes: int) -> None:
    """Two neurons and any sequence of peaks, in passes of `size` contexts and blocks of `n_passes` passes."""
    peaks = torch.tensor(rows)

    def scanned(bounds: LevelCounts | None) -> list[dict[str, Tensor]]:
        blocks = []
        for start in range(0, len(peaks), size * n_passes):
            part = peaks[start : start + size * n_passes]
            levels = LevelScan(bounds or LevelCounts(1, 2), len(part), torch.device("cpu"))
            batches = []
            for offset in range(0, len(part), size):
                _, context, neuron = levels.take(torch.tensor([0]), offset, part[None, offset : offset + size])
                context += offset
                batches.append(
                    {"neuron": neuron.int(), "context": context + start, "activation": part[context, neuron]}
                )
                windows = part[context, neuron, None].expand(-1, WINDOW)
                batches[-1] |= {"position": context % 3, "window": windows}
            block = {"maximum": part.amax(0)[None], "0.level.count": levels.count(0, 2)}
            block |= {f"0.level.{name}": tensor for name, tensor in levels.joined(0, batches).items()}
            blocks.append(block)
            if bounds is not None:
                bounds.absorb(block["maximum"], block["0.level.count"][None])
        return blocks

    def light(levels: Sequence[Level]) -> list[tuple[float, float, int, list[int]]]:
        return [(level.low, level.high, level.count, level.context.tolist()) for level in levels]

    bounded, apart = scanned(LevelCounts(1, 2)), scanned(None)
    # With bounds nothing is stored that is not needed but for what a later maximum leaves too far below.
    stored = Counter(
        (neuron, number)
        for block in bounded
        for neuron, number in zip(
            block["0.level.neuron"].tolist(), band(block["0.level.activation"]).tolist(), strict=True
        )
    )
    assert max(stored.values(), default=0) <= N_SHOWN
    merged: Mapping[str, Tensor] = merge_levels(bounded, 0, 0)
    for name, tensor in merge_levels(apart, 0, 0).items():
        assert torch.equal(tensor, merged[name]), name
    for neuron in range(2):
        numbers = band(peaks[:, neuron]).tolist()
        top = max(numbers)
        assert int(merged["level_top"][neuron]) == top
        members = [[i for i, number in enumerate(numbers) if number == top - r] for r in range(min(N_BANDS, top))]
        while members and not members[-1]:
            members.pop()
        expected = [
            (*low_edge(np.array([top - r, top - r + 1])).tolist(), len(inside), inside[:N_SHOWN])
            for r, inside in enumerate(members)
        ]
        assert light(read_levels(merged, neuron)) == expected


@settings(max_examples=200)
@given(st.lists(st.tuples(PEAKS, st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_what_is_learned_is_in_some_of_the_contexts_and_no_more(rows: list[tuple[float, bool, bool]]) -> None:
    """Of one neuron, from a process that knows others of the contexts, or some of the same."""
    peaks = torch.tensor([peak for peak, *_ in rows])
    known = [[i for i, row in enumerate(rows) if row[1 + who]] for who in (0, 1)]
    one, other = (LevelCounts(1), LevelCounts(1))
    for counts, mine in zip((one, other), known, strict=True):
        for i in mine:
            found = torch.zeros(1, N_BANDS, dtype=torch.int32)
            found[0, 0] = band(peaks[i]) > 0
            counts.absorb(peaks[i : i + 1], found)
    largest = torch.tensor([max((float(peaks[i]) for i in known[1]), default=0.0)]).clamp(min=0)
    one.learn(largest, other.shown)
    numbers = [int(band(peaks[i])) for i in range(len(peaks))]
    top = max((numbers[i] for mine in known for i in mine), default=0)
    assert int(one.top) == top
    for r, count in enumerate(one.count[0].tolist()):
        mine, others = ([i for i in who if numbers[i] and numbers[i] == top - r] for who in known)
        assert count == max(len(mine), min(N_SHOWN, len(others))) <= len({*mine, *others})


def test_a_neuron_that_was_never_positive_has_no_levels() -> None:
    levels = LevelScan(LevelCounts(1, 3), 2, torch.device("cpu"))
    peaks = torch.tensor([[-1.0, 0.0, -0.0], [-2.0, -0.0, -3.0]])
    _, context, neuron = levels.take(torch.tensor([0]), 0, peaks[None])
    assert len(context) == len(neuron) == 0
    empty = {"neuron": neuron.int(), "context": context, "position": context, "activation": peaks[context, neuron]}
    block = {"maximum": peaks.amax(0)[None], "0.level.count": levels.count(0, 3)}
    block |= {
        f"0.level.{name}": tensor
        for name, tensor in levels.joined(0, [empty | {"window": torch.empty(0, WINDOW)}]).items()
    }
    merged = merge_levels([block, block], 0, 0)
    assert [read_levels(merged, neuron) for neuron in range(3)] == [(), (), ()]
