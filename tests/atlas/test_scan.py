"""The one-pass scan against a slow two-pass reference that stores everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nbkit.atlas.candidates import rank_in_group
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.levels import N_BANDS, band, low_edge, merge_levels, read_levels
from nbkit.atlas.merge import merge_layer
from nbkit.atlas.scan import Block, BlockScan, Bounds, scan_block
from nbkit.atlas.snippets import TOKENS_AFTER, TOKENS_BEFORE
from nbkit.atlas.strongest import N_STRONGEST
from nbkit.corpora import Contexts
from nbkit.errors import NbkitError
from nbkit.models import LanguageModel, activation_function, load_model
from nbkit.models.neurons import MlpNeurons
from nbkit.models.sign import SIGNS, Sign
from nbkit.models.values import DenseValues, SparseValues
from tests.examples.tiny_models import make_model, random_contexts

ARCHITECTURES = ("gpt2", "bert", "llama")


@pytest.fixture(scope="module")
def models(tiny_model: Callable[[str], LanguageModel]) -> dict[str, LanguageModel]:
    return {name: tiny_model(name) for name in ARCHITECTURES}


def scan(
    model: LanguageModel,
    contexts: Contexts,
    config: AtlasConfig,
    maxima: torch.Tensor | None = None,
    *,
    independent: bool = False,
) -> dict[int, dict[str, torch.Tensor]]:
    """All layers' examples, block after block, or every block by itself."""
    units = MlpNeurons(model, config.weights)
    config = config.resolved(units)
    blocks = blocks_of(units, contexts, config, maxima, independent=independent)
    maximum = torch.stack([block["maximum"] for block in blocks]).amax(0) if maxima is None else maxima
    return {layer: merge_layer(blocks, layer, maximum[row], config) for row, layer in enumerate(config.numbers)}


def blocks_of(
    units: MlpNeurons, contexts: Contexts, config: AtlasConfig, maxima: torch.Tensor | None, *, independent: bool
) -> list[Block]:
    bounds = Bounds(len(config.numbers), units.model.d_mlp, config.max_examples)
    blocks = []
    for start in range(0, len(contexts.tokens), config.block_size):
        block = scan_block(BlockScan(units, contexts, start, config, None if independent else bounds, maxima))
        bounds.absorb(block, config.numbers)
        blocks.append(block)
    return blocks


Found = list[list[tuple[int, int, float, np.ndarray, np.ndarray]]]
"""Of every neuron what is kept: context, position, strength, window, and what the neuron receives."""


def strengths(activations: np.ndarray, sign: Sign) -> np.ndarray:
    of: dict[Sign, np.ndarray] = {"positive": activations, "negative": -activations, "both": np.abs(activations)}
    return of[sign]


def reference(
    model: LanguageModel, contexts: Contexts, config: AtlasConfig, layer: int, maxima: np.ndarray | None
) -> Found:
    """What is kept of every neuron: run everything through TransformerLens, store it, then look twice.

    Below zero GELU has a floor, at which activations differ by their rounding alone. So the numbers are those of the
    scan's own passes, if they are TransformerLens'."""
    names = [f"blocks.{layer}.mlp.in.hook_in", f"blocks.{layer}.mlp.out.hook_in"]
    with torch.inference_mode():
        _, cache = model.bridge.run_with_cache(
            torch.from_numpy(contexts.tokens).long(), names_filter=lambda n: n in names
        )
    pre_mlp, activations = (cache[name].numpy() for name in names)
    passes: list[torch.Tensor] = []
    with model.captured([layer], lambda _, __, values: passes.append(values.clone())) as run:
        for start in range(0, len(contexts.tokens), config.batch_size):
            run(torch.from_numpy(contexts.tokens[start : start + config.batch_size]))
    own = torch.cat(passes).numpy()
    np.testing.assert_allclose(own, activations, rtol=1e-5, atol=1e-5 * np.abs(activations).max())
    return two_passes(pre_mlp, own, contexts.special, config, None if maxima is None else maxima[layer])


def two_passes(
    pre_mlp: np.ndarray, activations: np.ndarray, special: np.ndarray, config: AtlasConfig, maxima: np.ndarray | None
) -> Found:
    """Per neuron its dataset examples by DESIGN's definition, and behind them the strongest contexts that are none."""
    usable = np.where(special[None, :, None], -np.inf, strengths(activations, config.sign))
    found = []
    for neuron in range(activations.shape[-1]):
        known = not np.isnan(usable[..., neuron]).any()
        maximum = np.nan if not known else usable[..., neuron].max() if maxima is None else maxima[neuron]
        examples = []
        for context in range(len(activations)):
            trace = usable[context, :, neuron]
            position = int(trace.argmax())
            if trace[position] > 0 and trace[position] >= np.float32(config.threshold) * maximum:
                window = np.zeros(TOKENS_BEFORE + 1 + TOKENS_AFTER, np.float32)
                for slot in range(len(window)):
                    if 0 <= position + slot - TOKENS_BEFORE < activations.shape[1]:
                        window[slot] = activations[context, position + slot - TOKENS_BEFORE, neuron]
                examples.append((context, position, trace[position], window, pre_mlp[context, position]))
        first, later = examples[: config.max_examples], examples[config.max_examples :]
        strongest = sorted(examples, key=lambda e: -e[2])[: min(N_STRONGEST, config.max_examples)]  # sorted is stable
        found.append(first + [e for e in later if any(e is s for s in strongest)])
    return found


def assert_same(merged: dict[str, torch.Tensor], expected: Found, max_examples: int) -> None:
    counts = merged["offsets"].diff().tolist()
    assert counts == [len(examples) for examples in expected]
    assert merged["n_examples"].tolist() == [min(len(examples), max_examples) for examples in expected]
    flat = [example for examples in expected for example in examples]
    assert merged["context"].tolist() == [example[0] for example in flat]
    assert merged["position"].tolist() == [example[1] for example in flat]
    columns = {
        "activation": merged["activation"],
        "window": merged["window"],
        "pre_mlp": merged["pre_mlp"][merged["vector"].long()],
    }
    for number, (name, tensor) in enumerate(columns.items(), start=2):
        values = np.stack([example[number] for example in flat])
        np.testing.assert_allclose(tensor, values, rtol=1e-5, atol=1e-5 * np.abs(values).max(), err_msg=name)


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("max_examples", [3, 20, 1000])
def test_equals_the_two_pass_reference(
    models: dict[str, LanguageModel], architecture: str, max_examples: int, sign: Sign
) -> None:
    model = models[architecture]
    contexts = random_contexts(150, 40, last_special=architecture == "bert")
    config = AtlasConfig(max_examples=max_examples, batch_size=8, block_size=24, threshold=0.6, sign=sign)
    for layer, merged in scan(model, contexts, config).items():
        assert_same(merged, reference(model, contexts, config, layer, None), max_examples)


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_equals_the_reference_with_given_maxima(
    models: dict[str, LanguageModel], architecture: str, sign: Sign
) -> None:
    model, contexts = models[architecture], random_contexts(90, 40)
    config = AtlasConfig(max_examples=5, batch_size=8, block_size=24, layers=[0, 2], sign=sign)
    largest = 0.3 if sign == "negative" else 4
    maxima = np.random.default_rng(1).uniform(0.01, largest, (model.n_layers, model.d_mlp)).astype(np.float32)
    for layer, merged in scan(model, contexts, config, torch.from_numpy(maxima[[0, 2]])).items():
        assert_same(merged, reference(model, contexts, config, layer, maxima), 5)


class Given(MlpNeurons):
    """Neurons of one layer whose activations are given: those of the contexts in order, over and over."""

    def given(self, activations: np.ndarray, *, sparse: bool) -> Given:
        self.activations, self.sparse, self.seen = torch.from_numpy(activations), sparse, 0
        return self

    def values(self, site: int, vectors: Sequence[torch.Tensor]) -> tuple[torch.Tensor, Any]:
        n, at = len(vectors[0]), self.seen % len(self.activations)
        self.seen += n
        dense = self.activations[at : at + n]
        if not self.sparse:
            return vectors[0], DenseValues(dense)
        entry = dense.flatten().nonzero()[:, 0]  # neither zero
        return vectors[0], SparseValues((n, *dense.shape[1:]), entry, dense.flatten()[entry])


ACTIVATIONS = st.sampled_from([0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5, 2.0, -2.0]) | st.floats(-3, 3, width=32)
N_GIVEN = 4


@settings(max_examples=150)
@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(2, 6), st.just(N_GIVEN)), elements=ACTIVATIONS),
    st.data(),
)
def test_any_activations_equal_the_reference(
    models: dict[str, LanguageModel], drawn: np.ndarray, data: st.DataObject
) -> None:
    """Ties, zeros of both signs, neurons on one side of zero alone, special tokens between others, and NaN."""
    n, length, _ = drawn.shape
    drawn[..., 1], drawn[..., 2] = np.abs(drawn[..., 1]), -np.abs(drawn[..., 2])
    broken, sparse, independent = (data.draw(st.booleans()) for _ in range(3))
    special = np.array(data.draw(st.lists(st.booleans(), min_size=length, max_size=length)))
    special[data.draw(st.integers(0, length - 1))] = False
    if broken:
        drawn[data.draw(st.integers(0, n - 1)), np.flatnonzero(~special)[0], 3] = np.nan
    model = models["gpt2"]
    activations = np.zeros((n, length, model.d_mlp), dtype=np.float32)
    activations[..., :N_GIVEN] = drawn
    tokens = random_contexts(n, length).tokens
    contexts = Contexts(tokens, np.arange(n, dtype=np.int32), "given", special)
    units = Given(model).given(activations, sparse=sparse)
    for sign in SIGNS:
        config = AtlasConfig(
            layers=[0],
            sign=sign,
            max_examples=data.draw(st.integers(1, 4)),
            threshold=data.draw(st.sampled_from([0.25, 0.5, 1.0])),
            batch_size=data.draw(st.integers(1, 4)),
            block_size=data.draw(st.integers(1, 9)),
        )
        blocks = blocks_of(units, contexts, config, None, independent=independent)
        maximum = torch.stack([block["maximum"] for block in blocks]).amax(0)[0]
        merged = merge_layer(blocks, 0, maximum, config)
        levels = merge_levels(blocks, 0, 0)
        expected = two_passes(np.zeros((n, length, 1)), activations, special, config, None)
        assert merged["n_examples"].tolist() == [min(len(each), config.max_examples) for each in expected]
        flat = [example for examples in expected for example in examples]
        assert merged["context"].tolist() == [example[0] for example in flat]
        assert merged["position"].tolist() == [example[1] for example in flat]
        assert merged["activation"].tolist() == [example[2] for example in flat]
        for window, example in zip(merged["window"].numpy(), flat, strict=True):
            np.testing.assert_array_equal(window, example[3])
        usable = strengths(activations, sign)[:, ~special]
        floor = 0 if sparse else -np.inf  # of a latent, strengths below zero are not told apart
        np.testing.assert_array_equal(maximum.numpy(), np.maximum(usable.max((0, 1)), floor))
        for neuron in range(N_GIVEN):
            peaks = usable[..., neuron].max(1)
            if np.isnan(peaks).any():
                assert read_levels(levels, neuron) == ()
                continue
            numbers = band(torch.from_numpy(peaks)).tolist()
            counts = {level.low: level.count for level in read_levels(levels, neuron) if level.count}
            within = [number for number in numbers if number and max(numbers) - number < N_BANDS]
            assert counts == dict(Counter(low_edge(np.array(within, dtype=int)).tolist()))


def test_a_vector_is_stored_once_however_many_neurons_share_it(models: dict[str, LanguageModel]) -> None:
    merged = scan(models["llama"], random_contexts(60, 32), AtlasConfig(batch_size=8, block_size=16))[1]
    places = torch.stack([merged["context"], merged["position"], merged["vector"]], dim=1).unique(dim=0)
    assert len(places) == len(merged["pre_mlp"]) < len(merged["vector"])
    assert places[:, 2].tolist() == list(range(len(places)))  # in corpus order


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_blocks_may_be_scanned_independently(models: dict[str, LanguageModel], architecture: str, sign: Sign) -> None:
    contexts = random_contexts(100, 32, seed=3)
    config = AtlasConfig(max_examples=4, batch_size=10, block_size=20, sign=sign)
    together = scan(models[architecture], contexts, config)
    apart = scan(models[architecture], contexts, config, independent=True)
    for layer in together:
        for name, tensor in together[layer].items():
            assert torch.equal(tensor, apart[layer][name]), (layer, name)


def test_bounds_shrink_what_a_block_keeps(models: dict[str, LanguageModel]) -> None:
    model, contexts = models["llama"], random_contexts(200, 32)
    units = MlpNeurons(model)
    config = AtlasConfig(max_examples=2, batch_size=20, block_size=100).resolved(units)
    bounds = Bounds(model.n_layers, model.d_mlp, config.max_examples)
    bounds.absorb(scan_block(BlockScan(units, contexts, 0, config, bounds)), [0, 1, 2])
    sizes = [len(scan_block(BlockScan(units, contexts, 100, config, b))["1.neuron"]) for b in (bounds, None)]
    assert sizes[0] < 0.5 * sizes[1]


def test_folded_weights_give_the_same_examples_and_pre_activations(models: dict[str, LanguageModel]) -> None:
    model, contexts = models["gpt2"], random_contexts(40, 32)
    native, folded = (scan(model, contexts, AtlasConfig(weights=kind))[1] for kind in ("native", "folded"))
    assert torch.equal(native["activation"], folded["activation"])
    weights, h = model.neuron_weights(1), native["pre_mlp"]
    folded_weights, normalized = model.neuron_weights(1, folded=True), folded["pre_mlp"]
    torch.testing.assert_close(
        h @ weights.w_in.T + weights.b_in,
        normalized @ folded_weights.w_in.T + folded_weights.b_in,
        rtol=1e-4,
        atol=1e-4,
    )
    torch.testing.assert_close(normalized.mean(1), torch.zeros(len(normalized)), atol=1e-4, rtol=0)


def test_the_sum_of_the_embedding_plus_the_bias_is_the_pre_activation(models: dict[str, LanguageModel]) -> None:
    model = models["gpt2"]
    merged, weights = scan(model, random_contexts(40, 32), AtlasConfig())[2], model.neuron_weights(2)
    act_fn = activation_function(model.activation)
    for neuron in range(model.d_mlp):
        rows = slice(*merged["offsets"][neuron : neuron + 2].tolist())
        embeddings = merged["pre_mlp"][merged["vector"][rows].long()] * weights.w_in[neuron]
        activation = act_fn(embeddings.sum(1) + weights.b_in[neuron])
        torch.testing.assert_close(activation, merged["activation"][rows], rtol=1e-4, atol=1e-5)


def test_ties_go_to_the_first_position(models: dict[str, LanguageModel]) -> None:
    # A BERT without positions would tie everywhere; here two equal contexts must at least agree on the position.
    model, contexts = models["gpt2"], random_contexts(1, 16)
    twice = Contexts(np.repeat(contexts.tokens, 2, axis=0), np.arange(2, dtype=np.int32), "twice", contexts.special)
    merged = scan(model, twice, AtlasConfig())[0]
    pairs = merged["position"].reshape(-1, 2)
    assert torch.equal(pairs[:, 0], pairs[:, 1])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=40))
def test_rank_in_group(values: list[int]) -> None:
    group = torch.tensor(sorted(values), dtype=torch.long)
    assert rank_in_group(group).tolist() == [sorted(values)[:i].count(value) for i, value in enumerate(sorted(values))]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(0.125, 10, width=32), min_size=1, max_size=60),
    st.integers(1, 5),
    st.integers(1, 9),
    st.floats(0.1, 1),
)
def test_bounds_never_drop_what_the_selection_needs(
    activations: list[float], k: int, block: int, threshold: float
) -> None:
    """The rule of the module's docstring, on one neuron and any sequence of activations."""
    values = torch.tensor(activations)
    bounds, kept = Bounds(1, 1, k), []
    for start in range(0, len(values), block):
        part = values[start : start + block]
        running = torch.maximum(bounds.maximum[0, 0], part.max())
        index = ((part >= threshold * running) & (part > bounds.kth_largest[0, 0])).nonzero()[:, 0]
        kept += (index + start).tolist()
        neuron = torch.zeros(len(index), dtype=torch.int32)
        found = {"maximum": part.max().reshape(1, 1), "0.neuron": neuron, "0.activation": part[index]}
        bounds.absorb({**found, "0.level.count": torch.zeros(1, N_BANDS, dtype=torch.int32)}, [0])
    needed = [i for i, value in enumerate(values) if value >= threshold * values.max()][:k]
    assert set(needed) <= set(kept)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threshold": 0.0}, "threshold"),
        ({"threshold": 1.5}, "threshold"),
        ({"max_examples": 0}, "max_examples"),
        ({"batch_size": 0}, "batch_size"),
        ({"weights": "centered"}, "weights"),
        ({"embedding": "sum"}, "embedding"),
        ({"layers": []}, "layers"),
        ({"layers": "some"}, "layers"),
        ({"sign": "plus"}, "sign is 'plus': choose one of positive, negative, both"),
        ({"sign": -1}, "sign is -1"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(NbkitError, match=message):
        AtlasConfig(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"), [({"layers": [3]}, "layers are 0 to 2"), ({"embedding": "gate"}, "choose")]
)
def test_a_config_that_does_not_fit_the_model_is_refused(
    models: dict[str, LanguageModel], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(NbkitError, match=message):
        AtlasConfig(**arguments).resolved(MlpNeurons(models["gpt2"]))


def test_an_activation_that_is_not_finite_is_reported(tmp_path: Path) -> None:
    model = load_model(make_model("llama", tmp_path / "llama"), dtype="float32")
    mlp = model.network.model.layers[1].mlp
    with torch.no_grad():
        mlp.up_proj.weight.mul_(1e30)
        mlp.gate_proj.weight.mul_(1e30)
    units = MlpNeurons(model)
    with pytest.raises(NbkitError, match="layer 1: activations that are not finite"):
        scan_block(BlockScan(units, random_contexts(8, 16), 0, AtlasConfig().resolved(units)))
