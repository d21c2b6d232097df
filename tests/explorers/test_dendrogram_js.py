"""The browser's side of the dendrogram, its pure functions run under Node.js against SciPy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage

from nbkit.explorers.shared.bundle import module_text
from tests.browser.node import run_module

Method = Literal["average", "complete", "single", "weighted", "centroid", "median", "ward"]
# centroid and median trees have heights that fall on the way up
METHODS: tuple[Method, ...] = ("average", "complete", "single", "weighted", "centroid", "median", "ward")
N_TREES = 2000

REPORT = """
const cases = JSON.parse(%s);
const reports = cases.map(({ pairs, heights, thresholds }) => {
  const tree = makeTree(pairs, heights);
  return {
    order: leaves(tree, 2 * tree.n - 2),
    labels: thresholds.map((threshold) => Array.from(labels(tree, cut(tree, threshold)).slice(0, tree.n))),
    places: Array.from(places(tree)),
  };
});
console.log(JSON.stringify(reports));
"""


def random_trees() -> Iterator[np.ndarray]:
    """Linkages of all methods, 2 to 40 leaves; a third on a coarse grid, so that many heights are equal."""
    rng = np.random.default_rng(0)
    for number in range(N_TREES):
        points = rng.normal(size=(int(rng.integers(2, 41)), 3))
        if number % 3 == 0:
            points = np.round(points)
        yield linkage(points, METHODS[number % len(METHODS)])


def in_order_of_size(partition: np.ndarray) -> np.ndarray:
    """The same partition numbered from 0, the largest first, of equals the one with the earliest member."""
    names, first, sizes = np.unique(partition, return_index=True, return_counts=True)
    rank = np.empty(len(names), dtype=int)
    rank[np.lexsort((first, -sizes))] = np.arange(len(names))
    return rank[np.searchsorted(names, partition)]


class Report(NamedTuple):
    """A random tree and what the JavaScript makes of it."""

    tree: np.ndarray
    thresholds: list[float]
    labels: list[list[int]]
    """The cluster of each example, for each threshold."""
    order: list[int]
    places: list[float]


@pytest.fixture(scope="module")
def reports() -> list[Report]:
    """Reports about `random_trees`."""
    rng = np.random.default_rng(1)
    trees = list(random_trees())
    # between heights, exactly at heights, below all, above all
    cuts = [
        [*rng.uniform(0, tree[-1, 2], 3), *rng.choice(tree[:, 2], 2), -1.0, float(tree[:, 2].max())] for tree in trees
    ]
    cases = [
        {"pairs": tree[:, :2].astype(int).ravel().tolist(), "heights": tree[:, 2].tolist(), "thresholds": thresholds}
        for tree, thresholds in zip(trees, cuts, strict=True)
    ]
    found = json.loads(run_module(module_text("shared/tree.js") + REPORT % json.dumps(json.dumps(cases))))
    return [Report(tree, thresholds, **made) for tree, thresholds, made in zip(trees, cuts, found, strict=True)]


def test_cut_equals_fcluster(reports: list[Report]) -> None:
    assert len(reports) == N_TREES
    for report in reports:
        for threshold, labels in zip(report.thresholds, report.labels, strict=True):
            expected = in_order_of_size(fcluster(report.tree, threshold, criterion="distance"))
            assert labels == expected.tolist(), (report.tree, threshold)


def test_leaves_stand_in_scipys_order(reports: list[Report]) -> None:
    for report in reports:
        assert report.order == leaves_list(report.tree).tolist()


def test_a_merge_stands_amid_its_children(reports: list[Report]) -> None:
    for report in reports:
        n = len(report.tree) + 1
        place = np.array(report.places)
        assert np.array_equal(np.sort(place[:n]), np.arange(n) + 0.5)
        assert np.array_equal(place[n:], place[report.tree[:, :2].astype(int)].mean(axis=1))


def test_one_example_is_one_cluster() -> None:
    script = (
        module_text("shared/tree.js") + "const tree = makeTree([], []); console.log(cut(tree, 0.5), leaves(tree, 0));"
    )
    assert run_module(script) == "[ 0 ] [ 0 ]\n"


def test_numbers_words_and_key_tokens() -> None:
    script = (
        module_text("shared/snippets.js")
        + """
    const data = { vocabulary: [" a", " b", "c"], tokens: [[0, 1], [1, 2], [2, 0], [0, 0]], keys: [0, 1, 1, 1] };
    console.log(JSON.stringify([
      number(12.3456), number(0), number(-0.012345), number(7), number(7013), count(1, "cluster"), count(2, "cluster"),
      tokenText(data, 1, 0), frequentKeys(data, [0, 1, 2, 3], 5), frequentKeys(data, [0, 1, 2, 3], 1),
    ]));"""
    )
    assert json.loads(run_module(script)) == [
        *["12.3", "0", "−0.0123", "7", "7013", "1 cluster", "2 clusters", " b"],
        *[[[" a", 3], ["c", 1]], [[" a", 3]]],
    ]


def test_tokens_that_share_a_character_in_the_browser() -> None:
    script = (
        module_text("shared/snippets.js")
        + """
    const data = { vocabulary: ["⟨E6⟩⟨9D⟩", "⟨B1⟩", "x", "x"], raw: { 0: "\\udce6\\udc9d", 1: "\\udcb1" },
      tokens: [[2, 0, 1], [0, 1, 2], [3, 0, 2], [2, 3, 3]], keys: [1, 1, 0, 0],
      activations: [[1, 5, 2], [3, 4, 9], [6, 0, 0], [1, 0, 0]] };
    const values = (example) =>
      examplePieces(data, example).map((piece) => pieceValue(data, example, piece, data.activations[example]));
    console.log(JSON.stringify([
      [0, 1, 2].map((example) => examplePieces(data, example).map((piece) => piece.text)), [0, 1].map(values),
      frequentKeys(data, [0, 1, 2, 3], 9), keyText(data, 0), pieceValue(data, 1, { first: 2, last: 2 }, [0.5, 1]),
    ]));"""
    )
    texts, values, keys, key, unknown = json.loads(run_module(script.replace("\\\\", "\\")))
    assert texts == [["x", "東"], ["東", "x"], ["x", "⟨E6⟩⟨9D⟩", "x"]]
    assert values == [[1, 5], [4, 9]]
    assert keys == [["東", 1], ["東", 1], ["x", 1], ["x", 1]]  # four tokens, though two look like two others
    assert (key, unknown) == ("東", None)


def test_a_snippet_is_read_in_the_direction_of_most_of_its_letters() -> None:
    script = (
        module_text("shared/snippets.js")
        + """
    const texts = ["an مدينة", "مدينة Cairo", "<s> في مدينة كبيرة", "שלום x", "123", "東京"];
    const data = { vocabulary: texts, tokens: texts.map((_, i) => [i]), keys: texts.map(() => 0) };
    console.log(JSON.stringify(texts.map((_, i) => directionOf(data, i))));"""
    )
    assert json.loads(run_module(script)) == ["rtl", "ltr", "rtl", "rtl", "ltr", "ltr"]


def test_the_served_module_exports_a_widget_and_imports_nothing() -> None:
    text = module_text("dendrogram/dendrogram.js")
    assert "import" not in [line.split(" ")[0] for line in text.splitlines()]
    assert run_module(text + "console.log(typeof render, typeof cut);") == "function function\n"
