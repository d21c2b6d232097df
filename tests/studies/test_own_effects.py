"""Effects of zeroing that are planted: each cluster's own, the same everywhere, the contexts' or the neuron's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from nbkit.method.cluster_contrast import cluster_contrasts
from nbkit.studies.ground_truth import own_effects as module
from nbkit.studies.ground_truth.own_effects import EXAMPLES_ZEROED, FEWEST_OF_A_CLUSTER, PERMUTATIONS, WORD, own_effects
from nbkit.studies.ground_truth.told_from_text import OWN
from nbkit.studies.ground_truth.zeroing import MOST_READ
from tests.examples.clustered_neuron import clustered_neuron

VOCABULARY = 12


class Planted:
    """Stands in for `Zeroing`: all tokens are equally likely; zeroing the neuron, or lowering another, makes some of
    them a little less likely."""

    def __init__(self, zeroed: np.ndarray, other: np.ndarray) -> None:
        """Take, for each context, the token that loses."""
        self.loses, self.asked = (zeroed, other), 0

    def log_probabilities(self, tokens: np.ndarray, last: np.ndarray, layer: int, index: int, other: int) -> Tensor:
        """As `Zeroing` has it; a context's first token is its number."""
        assert (layer, index, other) == (1, 2, 3)
        self.asked += len(tokens)
        assert (last < MOST_READ).all()
        logits = torch.zeros(3, len(tokens), VOCABULARY)
        for variant, loses in enumerate(self.loses, start=1):
            logits[variant, torch.arange(len(tokens)), torch.from_numpy(loses[tokens[:, 0]])] -= 0.1
        return logits.log_softmax(-1)


def changed(
    behavior: np.ndarray, zeroed: np.ndarray, other: np.ndarray, words: np.ndarray | None = None
) -> pd.DataFrame:
    n = len(behavior)
    neuron = clustered_neuron(behavior, words)
    tokens = np.arange(n)[:, None].repeat(8, axis=1)
    planted = Planted(zeroed, other)
    return pd.DataFrame(own_effects(neuron, tokens, planted, 3, np.random.default_rng(0)))  # type: ignore[arg-type]


BEHAVIOR = np.arange(EXAMPLES_ZEROED) % 2


def test_what_is_a_clusters_own_has_a_contrast() -> None:
    """Of two tokens that lose, the changes' cosine is -1 / (V - 1), up to the size of the change."""
    found = changed(BEHAVIOR, zeroed=BEHAVIOR, other=np.zeros(EXAMPLES_ZEROED, dtype=int))
    own = found[found["grouping"] == OWN]
    assert own["size"].tolist() == [EXAMPLES_ZEROED / 2] * 2
    np.testing.assert_allclose(own["zeroed"], 1 + 1 / (VOCABULARY - 1), atol=0.01)
    np.testing.assert_allclose(own[["zeroed_probability", "zeroed_logarithm"]], 1 + 1 / (VOCABULARY - 1), atol=0.01)
    np.testing.assert_allclose(own["other"], 0, atol=1e-9)
    assert (own["zeroed_p"] < 0.01).all() and (own["other_p"] == 1).all(), "all groupings are equally good"
    p = np.full(VOCABULARY, 1 / VOCABULARY)
    q = np.exp(np.where(np.arange(VOCABULARY) == 0, -0.1, 0))
    np.testing.assert_allclose(own["zeroed_nats"], (p * np.log(p / (q / q.sum()))).sum(), rtol=1e-3)


def test_a_contrast_of_words_is_none_between_words() -> None:
    """Each token loses with its own key word, of which a cluster has two: pairs of two words are as good as across."""
    words = BEHAVIOR + 2 * (np.arange(EXAMPLES_ZEROED) // 2 % 2)
    found = changed(BEHAVIOR, zeroed=words, other=BEHAVIOR, words=words)
    own = found[found["grouping"] == OWN]
    assert (own["zeroed"] > 0.3).all()
    np.testing.assert_allclose(own["zeroed_words"], 0, atol=1e-9)
    assert (own["other_words"] > 1).all()
    of_words = found[found["grouping"] == WORD]
    assert of_words["size"].tolist() == [EXAMPLES_ZEROED / 4] * 4 and (of_words["zeroed"] > 1).all()
    assert of_words["zeroed_words"].isna().all(), "no pair of two words is within one"


def test_it_is_what_the_definition_says() -> None:
    """One pair after the other, for changes at random."""
    rng = np.random.default_rng(1)
    said = torch.from_numpy(rng.normal(size=(3, 9, VOCABULARY))).log_softmax(-1)
    found = module._alike(said)
    p, q = said[0].exp().numpy(), said[2].exp().numpy()
    for i in range(9):
        for j in range(9):
            e, f = np.sqrt(q[i]) - np.sqrt(p[i]), np.sqrt(q[j]) - np.sqrt(p[j])
            assert found["other"][i, j] == pytest.approx(e @ f / np.linalg.norm(e) / np.linalg.norm(f))
            e, f = q[i] - p[i], q[j] - p[j]
            assert found["other_probability"][i, j] == pytest.approx(e @ f / np.linalg.norm(e) / np.linalg.norm(f))
            e, f = np.log(q[i] / p[i]), np.log(q[j] / p[j])
            e, f = e - e.mean(), f - f.mean()
            assert found["other_logarithm"][i, j] == pytest.approx(e @ f / np.linalg.norm(e) / np.linalg.norm(f))


def test_the_share_of_permutations_is_uniform_without_an_effect() -> None:
    rng = np.random.default_rng(2)
    shares = []
    for _ in range(300):
        vectors = rng.normal(size=(12, 4))
        labels = np.repeat([0, 1, 2], 4)
        drawn = np.stack([labels, *(rng.permutation(labels) for _ in range(99))])
        shares.append(module._share_as_high(cluster_contrasts(vectors @ vectors.T, drawn, FEWEST_OF_A_CLUSTER)))
    assert abs(np.mean(np.array(shares) <= 0.05) - 0.05) < 0.04 and abs(np.mean(shares) - 0.5) < 0.06


def test_examples_that_are_drawn() -> None:
    """Those whose key token stands early enough; of few, none."""
    n = 80
    behavior = np.arange(n) % 2
    position = np.where(np.arange(n) < 40, 5, MOST_READ)
    neuron = clustered_neuron(behavior, position=position)
    tokens = np.arange(n)[:, None].repeat(8, axis=1)
    planted = Planted(np.where(np.arange(n) < 40, behavior, 9), behavior)
    found = pd.DataFrame(own_effects(neuron, tokens, planted, 3, np.random.default_rng(0)))  # type: ignore[arg-type]
    assert planted.asked == EXAMPLES_ZEROED == found[found["grouping"] == OWN]["size"].sum()
    assert found["zeroed_p"].min() >= 1 / (PERMUTATIONS + 1)
    late = clustered_neuron(behavior, position=np.where(np.arange(n) < FEWEST_OF_A_CLUSTER, 5, MOST_READ))
    assert not list(own_effects(late, tokens, planted, 3, np.random.default_rng(0)))  # type: ignore[arg-type]
