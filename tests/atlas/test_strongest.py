"""The strongest contexts of a neuron, in an atlas that keeps few examples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.snippets import WINDOW
from nbkit.atlas.strongest import among_strongest, strongest_rows
from nbkit.models import LanguageModel
from tests.examples.tiny_models import D_MLP, random_contexts


def test_they_are_the_strongest_of_all_that_reach_the_threshold(
    tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    model, contexts = tiny_model("llama"), random_contexts(120, 24)
    few, all_of_them = (
        build_atlas(model, contexts, tmp_path / str(n), AtlasConfig(max_examples=n, threshold=0.3), progress=False)
        for n in (12, 1000)
    )
    later = 0
    for index in range(D_MLP):
        neuron, whole = few.neuron(1, index), all_of_them.neuron(1, index)
        order = np.argsort(-whole.peak, kind="stable")[:10]
        found = neuron.strongest
        for name in ("context", "position", "peak", "window", "pre_mlp"):
            np.testing.assert_array_equal(getattr(found, name), getattr(whole, name)[order])
            np.testing.assert_array_equal(getattr(whole.strongest, name), getattr(whole, name)[order])
        np.testing.assert_array_equal(found.example, np.where(order < len(neuron), order, -1))
        assert found.window.shape == (len(order), WINDOW)
        later += int((found.example == -1).sum())
    assert later > 20


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=60), st.integers(1, 15))
def test_the_merge_keeps_what_the_reading_picks(rows: list[tuple[int, int]], max_examples: int) -> None:
    rows.sort(key=lambda row: row[0])
    neuron, activation = (torch.tensor([row[i] for row in rows], dtype=torch.float32) for i in (0, 1))
    chosen = among_strongest(neuron.int(), activation, max_examples)
    for number in range(4):
        own = (neuron == number).nonzero()[:, 0]
        expected = sorted(own.tolist(), key=lambda i: -activation[i])[: min(10, max_examples)]
        assert own[chosen[own]].tolist() == sorted(expected)
        picked = strongest_rows(activation[own].numpy(), max_examples)
        assert own[torch.from_numpy(picked)].tolist() == expected
