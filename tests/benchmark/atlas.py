"""Speed of what is made from an atlas for its explorer: similar features and token importance."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch

from nbkit.atlas.atlas import Atlas
from nbkit.features.importance import BATCH_TOKENS, activations_of, batches, examples_of, mask_token
from nbkit.features.nearest import K, nearest
from nbkit.features.replacements import PACKED, WHOLE_CONTEXTS, Example
from nbkit.models import LanguageModel
from nbkit.models.neurons import MlpNeurons
from tests.benchmark.scan import largest_atlas, timed

N_FEATURES, WIDTH, N_LAYERS = 20_000, 576, 10
N_EXAMPLES, N_SLOW = 64, 4


def main(model: LanguageModel) -> None:
    neighbors_against_full_rows()
    importance_against_bare_forward(model, largest_atlas())


def neighbors_against_full_rows() -> None:
    """On random vectors around 1,000 centers; neurons have 4 features on average."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((N_FEATURES // 20, WIDTH), dtype=np.float32)
    vectors = centers[rng.integers(len(centers), size=N_FEATURES)]
    vectors += rng.standard_normal(vectors.shape, dtype=np.float32)
    layer = np.sort(rng.integers(N_LAYERS, size=N_FEATURES))
    neuron = np.cumsum((rng.random(N_FEATURES) < 0.25) | (np.diff(layer, prepend=0) > 0))
    nearest(vectors[:4000], layer[:4000], neuron[:4000])  # warm up
    begin = time.perf_counter()
    number, _ = nearest(vectors, layer, neuron)
    seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    expected = full_rows(vectors, layer, neuron)
    slow = time.perf_counter() - begin
    print(f"neighbors of {N_FEATURES:,} features: {seconds:.2f} s, {(number == expected).mean():.2%} as by full rows")
    print(f"neighbors / full rows of similarities with argpartition, speed: {slow / seconds:.2f}")


def full_rows(vectors: np.ndarray, layer: np.ndarray, neuron: np.ndarray, rows: int = 500) -> np.ndarray:
    """The obvious implementation, in NumPy."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    number = np.empty((len(unit), 2, K), dtype=np.int64)
    for start in range(0, len(unit), rows):
        block = slice(start, start + rows)
        cosine = unit[block] @ unit.T
        cosine[neuron[block, None] == neuron] = -np.inf
        same = layer[block, None] == layer
        for scope, eligible in enumerate((same, ~same)):
            in_scope = np.where(eligible, cosine, -np.inf)
            best = np.argpartition(-in_scope, K, axis=1)[:, :K]  # from the other end it takes many times as long
            order = np.argsort(-np.take_along_axis(in_scope, best, axis=1), axis=1)
            number[block, scope] = np.take_along_axis(best, order, axis=1)
    return number


def importance_against_bare_forward(model: LanguageModel, atlas: Atlas) -> None:
    """On examples of the deepest layer, against the model on as many tokens of plain contexts up to that layer."""
    examples = random_examples(model, atlas, max(atlas.layers))
    for name, layout in (("packed", PACKED), ("whole contexts", WHOLE_CONTEXTS)):
        few = examples if layout is PACKED else examples[: N_EXAMPLES // 4]
        passes = [[few[number] for number in numbers] for numbers in batches(few, layout, BATCH_TOKENS["cpu"])]
        n_tokens = sum(map(layout.size, few))
        activations_of(MlpNeurons(model), passes[0], layout)  # warm up
        seconds = sum(timed(activations_of, model, batch, layout) for batch in passes)
        bare = timed(bare_forward, model, atlas, n_tokens)
        rate = len(few) / seconds
        print(
            f"importance, {name}: {len(few)} examples, {len(passes)} passes, {n_tokens:,} tokens, {rate:.1f} a second"
        )
        print(f"importance, {name} / bare model on as many tokens, speed: {bare / seconds:.3f}")
        if layout is PACKED:
            slow = timed(one_by_one, model, examples[:N_SLOW]) / N_SLOW
            print(f"importance, {name} / one variant at a time, speed: {slow * rate:.2f}")


def random_examples(model: LanguageModel, atlas: Atlas, layer: int) -> list[Example]:
    rng = np.random.default_rng(0)
    examples: list[Example] = []
    for index in rng.permutation(atlas.manifest.site(layer).n_units).tolist():
        n = len(atlas.neuron(layer, index))
        examples += examples_of(atlas, layer, index, rng.integers(n, size=min(n, 1)).tolist())
        if len(examples) == N_EXAMPLES:
            break
    return examples


def bare_forward(model: LanguageModel, atlas: Atlas, n_tokens: int) -> None:
    with model.captured([max(atlas.layers)], lambda *_: None) as run:
        contexts = torch.tensor(atlas.tokens[: -(-n_tokens // atlas.manifest.length)])
        for batch in contexts.split(atlas.manifest.batch_size):
            run(batch)


def one_by_one(model: LanguageModel, examples: Sequence[Example]) -> None:
    """The obvious implementation: a forward pass for each replaced token, over the text up to the key token."""
    with model.captured([examples[0].layer], lambda *_: None) as run:
        for example in examples:
            text = torch.from_numpy(example.context[: example.key + 1])[None]
            run(text)
            for position in example.replaced.tolist():
                variant = text.clone()
                variant[0, position] = mask_token(model)
                run(variant)


if __name__ == "__main__":
    from nbkit.models import load_model

    main(load_model("smollm2-135m"))
