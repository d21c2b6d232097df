"""A made-up neuron for the explorers' tests: clustered embeddings and text, no model needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbkit.atlas.seen import SeenImages
from nbkit.atlas.snippets import Snippet
from nbkit.method.clusters import FeatureClusters, feature_clusters
from nbkit.models.site import Site

TOPICS = (
    ("bank", "river water boat shore mud reeds fish cold stream grass"),
    ("bank", "money loan interest account credit branch clerk cash rate vault"),
    ("charge", "court judge trial guilty lawyer police evidence sentence jury arrest"),
    ("charge", "battery volt current cell power cable electric plug lamp meter"),
    ("light", "morning window sun pale dawn lamp shadow glass gold dust"),
)
HOSTILE = (
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 2">',
    "</script><script>window.hacked = 3</script>",
    "\u202eright to left override",
    "مرحبا",
    "👩‍👩‍👧 🏳️‍🌈",
    "nul\x00bell\x07escape\x1b",
    "line\nbreak\ttab",
    "Z̸̢̨̧̛̼̰͈a̴̡̰͓͎l̷̨̛̮g̵̢̛̤o̸̧̡",
    "W" * 400,
    "&lt;b&gt; {{ 7*7 }} $\\color{red}{x}$",
    "\ud800",
)


@dataclass(frozen=True)
class ExampleNeuron:
    """What figures and explorers need of a neuron; its embeddings are given."""

    layer: int
    index: int
    snippets: list[Snippet]
    pre_mlp: np.ndarray
    seen: SeenImages | None = None

    @property
    def title(self) -> str:
        """As of a neuron in a layer."""
        return Site.of_neurons(self.layer, 1, 1, False, "relu").titled(self.index)

    def embeddings(self, kind: str | None = None) -> np.ndarray:
        """Whatever the kind."""
        return self.pre_mlp

    @property
    def weighed(self) -> str:
        """As of a plain neuron."""
        return "input"

    def clusters(self, threshold: float | None = None, kind: str | None = None) -> FeatureClusters:
        """Feature clusters of the embeddings."""
        return feature_clusters(self.embeddings(kind), 0.5 if threshold is None else threshold)


def example_neuron(n: int = 60, seed: int = 0, words: tuple[str, ...] = ()) -> ExampleNeuron:
    """Make a neuron with `n` examples about `TOPICS`; each of `words` becomes a token of one example."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(len(TOPICS), 32))
    topics = rng.choice(len(TOPICS), size=n, p=[0.4, 0.25, 0.15, 0.12, 0.08])
    embeddings = centers[topics] + rng.normal(size=(n, 32)) * rng.uniform(0.3, 1.3, size=(n, 1))
    snippets = [_snippet(rng, *TOPICS[topic], number) for number, topic in enumerate(topics)]
    for number, word in enumerate(words):
        old = snippets[number]
        tokens = (*old.tokens[:3], word, *old.tokens[4:])
        snippets[number] = Snippet(tokens, old.activations, old.key, old.context, old.position)
    return ExampleNeuron(7, 123, snippets, embeddings.astype(np.float32))


def _snippet(rng: np.random.Generator, key_token: str, words: str, number: int) -> Snippet:
    length = int(rng.integers(12, 32))
    key = int(rng.integers(4, length - 1))
    tokens = [f" {word}" for word in rng.choice([*words.split(), "the", "of", "and", "to", "a"], size=length)]
    tokens[key] = f" {key_token}"
    activations = np.where(rng.random(length) < 0.2, rng.gamma(1.0, 1.5, length), rng.normal(0, 0.1, length))
    activations[key] = rng.uniform(7.5, 10.0)
    return Snippet(tuple(tokens), tuple(activations.tolist()), key, 3 * number, key + 5)
