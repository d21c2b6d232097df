"""The one-pass scan against a slow two-pass reference that stores everything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nbkit.atlas.candidates import rank_in_group
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.levels import N_BANDS
from nbkit.atlas.merge import merge_layer
from nbkit.atlas.scan import Bounds, scan_block
from nbkit.atlas.snippets import TOKENS_AFTER, TOKENS_BEFORE
from nbkit.atlas.strongest import N_STRONGEST
from nbkit.corpora import Contexts
from nbkit.errors import NbkitError
from nbkit.models import LanguageModel, activation_function, load_model
from nbkit.models.neurons import MlpNeurons
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
    bounds = Bounds(len(config.numbers), model.d_mlp, config.max_examples)
    blocks = []
    for start in range(0, len(contexts.tokens), config.block_size):
        block = scan_block(units, contexts, start, config, None if independent else bounds, maxima)
        bounds.absorb(block, config.numbers)
        blocks.append(block)
    maximum = torch.stack([block["maximum"] for block in blocks]).amax(0) if maxima is None else maxima
    return {layer: merge_layer(blocks, layer, maximum[row], config) for row, layer in enumerate(config.numbers)}


def reference(
    model: LanguageModel, contexts: Contexts, config: AtlasConfig, layer: int, maxima: np.ndarray | None
) -> list[list[tuple[int, int, float, np.ndarray, np.ndarray]]]:
    """What is kept of every neuron: run everything through TransformerLens, store it, then look twice.

    Per neuron its dataset examples by DESIGN's definition, and behind them the strongest contexts that are none."""
    names = [f"blocks.{layer}.mlp.in.hook_in", f"blocks.{layer}.mlp.out.hook_in"]
    with torch.inference_mode():
        _, cache = model.bridge.run_with_cache(
            torch.from_numpy(contexts.tokens).long(), names_filter=lambda n: n in names
        )
    pre_mlp, activations = (cache[name].numpy() for name in names)
    usable = np.where(contexts.special[None, :, None], -np.inf, activations)
    found = []
    for neuron in range(activations.shape[-1]):
        maximum = usable[..., neuron].max() if maxima is None else maxima[layer, neuron]
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


def assert_same(
    merged: dict[str, torch.Tensor],
    expected: list[list[tuple[int, int, float, np.ndarray, np.ndarray]]],
    max_examples: int,
) -> None:
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


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("max_examples", [3, 20, 1000])
def test_equals_the_two_pass_reference(models: dict[str, LanguageModel], architecture: str, max_examples: int) -> None:
    model = models[architecture]
    contexts = random_contexts(150, 40, last_special=architecture == "bert")
    config = AtlasConfig(max_examples=max_examples, batch_size=8, block_size=24, threshold=0.6)
    for layer, merged in scan(model, contexts, config).items():
        assert_same(merged, reference(model, contexts, config, layer, None), max_examples)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_equals_the_reference_with_given_maxima(models: dict[str, LanguageModel], architecture: str) -> None:
    model, contexts = models[architecture], random_contexts(90, 40)
    config = AtlasConfig(max_examples=5, batch_size=8, block_size=24, layers=[0, 2])
    maxima = np.random.default_rng(1).uniform(0.01, 4, (model.n_layers, model.d_mlp)).astype(np.float32)
    for layer, merged in scan(model, contexts, config, torch.from_numpy(maxima[[0, 2]])).items():
        assert_same(merged, reference(model, contexts, config, layer, maxima), 5)


def test_a_vector_is_stored_once_however_many_neurons_share_it(models: dict[str, LanguageModel]) -> None:
    merged = scan(models["llama"], random_contexts(60, 32), AtlasConfig(batch_size=8, block_size=16))[1]
    places = torch.stack([merged["context"], merged["position"], merged["vector"]], dim=1).unique(dim=0)
    assert len(places) == len(merged["pre_mlp"]) < len(merged["vector"])
    assert places[:, 2].tolist() == list(range(len(places)))  # in corpus order


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_blocks_may_be_scanned_independently(models: dict[str, LanguageModel], architecture: str) -> None:
    contexts, config = random_contexts(100, 32, seed=3), AtlasConfig(max_examples=4, batch_size=10, block_size=20)
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
    bounds.absorb(scan_block(units, contexts, 0, config, bounds), [0, 1, 2])
    sizes = [len(scan_block(units, contexts, 100, config, b)["1.neuron"]) for b in (bounds, None)]
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
        scan_block(units, random_contexts(8, 16), 0, AtlasConfig().resolved(units))
