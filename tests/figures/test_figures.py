"""The figures on made-up neurons: what they show, what they say, and text and sizes meant to break them."""

from collections.abc import Callable
from itertools import combinations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from nbkit import figures
from nbkit.atlas.atlas import Atlas
from nbkit.atlas.snippets import Snippet
from nbkit.errors import NbkitError
from nbkit.figures.palette import ALONE, CLUSTER_COLORS, COLD, HEAT, QUIET
from nbkit.figures.projection import project
from nbkit.figures.style import BookFigure
from nbkit.figures.text import clip, draw_snippet, drawable, width
from nbkit.figures.tree import leaf_order
from nbkit.method.clusters import FeatureClusters, feature_clusters
from nbkit.method.embeddings import EMBEDDING_NAMES
from nbkit.models.sign import Sign
from nbkit.studies.embedding_spaces.figures import table1_intervals
from tests.examples.neuron import HOSTILE, example_neuron

TOKENS = (*HOSTILE, "$x^2_{", "$\\frac$", "%s{}", "漢字", "\u200b", "a\u0301\u0301\u0301", "\ufeff", "")


class FakeNeuron:
    """Examples of planted clusters: directions of `topics` in the dimensions that the weights pick out."""

    def __init__(self, topics: list[int], noise: float = 0.3, tokens: tuple[str, ...] = ()) -> None:
        rng = np.random.default_rng(0)
        n, d = len(topics), 64
        self.layer, self.index, self.title, self.weighed = 7, 123, "Layer 7, neuron 123", "input"
        self.seen = None
        self.snippets = example_neuron(n, words=tokens).snippets
        self.w_in = np.where(np.arange(d) < 20, 1.0, 0.05)
        self.pre_mlp = (
            rng.normal(size=(max(topics) + 1, d))[topics] + noise * rng.normal(size=(n, d))
        ) / self.w_in**0.5

    def embeddings(self, kind: str | None = None) -> np.ndarray:
        weights = {None: self.w_in, "input": self.w_in, "pre_mlp": np.ones(64), "shuffled": self.w_in[::-1]}[kind]
        embedded: np.ndarray = self.pre_mlp * weights
        return embedded * np.linspace(1, 2, len(embedded))[:, None] if kind == "gradient" else embedded

    def clusters(self, threshold: float | None = None, kind: str | None = None) -> FeatureClusters:
        return feature_clusters(self.embeddings(kind), 0.5 if threshold is None else threshold)


FIVE = [0] * 20 + [1] * 12 + [2] * 5 + [3] * 2 + [4]
OF_A_NEURON: list[Callable[[FakeNeuron], Figure]] = [
    figures.embedding_illustration,
    figures.cluster_dendrogram,
    figures.rare_behavior,
]


def many_neurons(n: int = 500) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"layer": rng.integers(3, 6, n), "n_examples": rng.integers(1, 100, n)})
    table["n_clusters"] = 1 + rng.poisson(2, n)
    table["largest_share"] = np.where(table["n_clusters"] == 1, 1.0, rng.uniform(0.2, 0.99, n))
    for column in ("mean_distance", "intra_cluster", "inter_cluster", "silhouette"):
        table[column] = rng.uniform(0, 1, n)
    table.loc[table["n_clusters"] == 1, ["inter_cluster", "silhouette"]] = np.nan
    return table


def drawn(figure: Figure) -> Figure:
    """The figure with everything in place, at 700 pixels; warnings are errors."""
    FigureCanvasAgg(figure)
    figure.set_dpi(100)
    figure.draw_without_rendering()
    return figure


def words(figure: Figure) -> list[str]:
    """All text of a drawn figure that can be seen."""
    found = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible()]
    return [text.get_text() for text in found if text.get_text()]


def boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    """The text of a drawn figure with its extent in pixels, tick labels out of view left out."""
    found = []
    for ax in figure.axes:
        ticks = {*ax.get_xticklabels(which="both"), *ax.get_yticklabels(which="both")}
        for text in ax.findobj(Text):
            assert isinstance(text, Text)
            if text.get_text().strip() and text.get_visible() and ax.axison | (text in ax.texts) and text not in ticks:
                found.append((text.get_text(), text.get_window_extent()))
    return found


def without_overlap(figure: Figure) -> None:
    inside = figure.bbox.padded(1.0)
    found = boxes(figure)
    for text, box in found:
        assert inside.x0 <= box.x0, text
        assert box.x1 <= inside.x1, text
        assert inside.y0 <= box.y0, text
        assert box.y1 <= inside.y1, text
    for (one, a), (other, b) in combinations(found, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across < 2 or down < 2, f"{one!r} lies on {other!r}"


@pytest.mark.parametrize("draw", OF_A_NEURON)
@pytest.mark.parametrize("topics", [[0], [0, 0], [0, 1], FIVE, [0] * 96 + [1] * 4, list(range(40)) + [0] * 60])
def test_figures_of_a_neuron_hold_any_number_of_examples(
    draw: Callable[[FakeNeuron], Figure], topics: list[int]
) -> None:
    figure = drawn(draw(FakeNeuron(topics)))
    assert any("Layer 7, neuron 123" in text for text in words(figure))
    without_overlap(figure)


def put(neuron: FakeNeuron, example: int, shift: int, token: str) -> None:
    """Replace the token at `shift` from an example's key token."""
    old = neuron.snippets[example]
    tokens = list(old.tokens)
    tokens[old.key + shift] = token
    neuron.snippets[example] = Snippet(tuple(tokens), old.activations, old.key, old.context, old.position)


def no_raw_controls(figure: Figure) -> None:
    assert not [text for text in words(figure) for char in "\u202e\u200b\x00\t\x1b\ud800" if char in text]


@pytest.mark.parametrize("shift", [-2, -1, 0, 1])
def test_hostile_tokens_are_drawn_as_text_and_stay_in_place(shift: int) -> None:
    neuron = FakeNeuron([i % 8 for i in range(24)])  # eight clusters of three: every example has its line
    for example, token in enumerate(TOKENS):
        put(neuron, example, shift, token)
    figure = drawn(figures.cluster_dendrogram(neuron))
    no_raw_controls(figure)
    without_overlap(figure)
    text = " ".join(words(figure))
    assert "$x^2_{" in text
    assert "⟨U+202E⟩" in text
    assert "</script>" in text or "<script>" in text  # as much as there is room for


def test_hostile_key_tokens_label_the_illustration() -> None:
    for start in range(0, len(TOKENS), 6):
        neuron = FakeNeuron([0, 0, 1, 1, 2, 2])
        for example, token in enumerate(TOKENS[start : start + 6]):
            put(neuron, example, 0, token)
        figure = drawn(figures.embedding_illustration(neuron))
        no_raw_controls(figure)
        without_overlap(figure)


def test_dendrogram_shows_clusters_threshold_numbers_and_sizes() -> None:
    neuron = FakeNeuron(FIVE)
    clusters = neuron.clusters(0.5)
    assert clusters.sizes.tolist() == [20, 12, 5, 2, 1]
    figure = drawn(figures.cluster_dendrogram(neuron))
    page, tree = figure.axes
    assert tree.get_xlabel() == "average cosine distance"
    text = words(figure)
    assert "Layer 7, neuron 123: 40 examples in 5 clusters" in text
    assert "cut at 0.5" in text
    for label, size in enumerate(clusters.sizes):
        assert f"{label + 1}" in text
        assert f"×{size}" in text
    (branches,) = tree.findobj(LineCollection)
    assert isinstance(branches, LineCollection)
    colors = {to_hex(color) for color in np.asarray(branches.get_colors())}
    assert {*CLUSTER_COLORS[:4], ALONE} <= colors
    assert not {*CLUSTER_COLORS[4:]} & colors
    segments = np.array(branches.get_segments())
    above = {to_hex(color) for color in np.asarray(branches.get_colors())[2::3][segments[2::3, 0, 0] > 0.5]}
    assert above == {QUIET}
    assert len(segments) == 3 * len(clusters.linkage)
    np.testing.assert_allclose(sorted(set(segments[2::3, 0, 0])), sorted(set(clusters.linkage[:, 2])))
    highlights = [patch for patch in page.patches if isinstance(patch, Rectangle)]
    assert {to_hex(patch.get_facecolor()) for patch in highlights} == {HEAT}
    assert max(patch.get_alpha() or 0.0 for patch in highlights) > 0.9  # the strongest key token


@pytest.mark.parametrize("sign", ["negative", "both"])
def test_dendrogram_shows_activations_below_zero_in_another_color(sign: Sign) -> None:
    neuron = FakeNeuron([0] * 4)
    row = (" before", " key", " after", " last")
    neuron.snippets = [Snippet(row, (4.0, -8.0, -2.0, 0.0), 1, 0, 0, sign=sign) for _ in range(4)]
    figure = drawn(figures.cluster_dendrogram(neuron))
    assert "more color: stronger (blue: below zero) activation; outlined: key token" in words(figure)
    highlights = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    found = {(to_hex(patch.get_facecolor()), patch.get_alpha()) for patch in highlights}
    assert found == {(COLD, 1.0), (COLD, 0.25)} | ({(HEAT, 0.5)} if sign == "both" else set())


def test_dendrogram_recut_moves_line_and_groups() -> None:
    text = words(drawn(figures.cluster_dendrogram(FakeNeuron(FIVE), 0.01)))
    assert "cut at 0.01" in text
    assert "Layer 7, neuron 123: 40 examples in 40 clusters, text of the 10 largest" in text


def test_lines_show_the_medoid_first_then_corpus_order_with_five_tokens_after_the_key() -> None:
    neuron = FakeNeuron([0] * 9)
    tokens = [(f" before{i}", f"{' ' * (i % 2)}key{i}", *(f" {i}.{k}" for k in range(1, 9))) for i in range(9)]
    neuron.snippets = [Snippet(row, (0.0, 1.0, *[0.0] * 8), 1, 0, 0) for row in tokens]
    medoid = int(neuron.clusters().medoids[0])
    figure = drawn(figures.cluster_dendrogram(neuron, examples_per_cluster=3))
    keys = [text for text in words(figure) if text.startswith("key")]
    others = [i for i in range(9) if i != medoid][:2]
    assert keys == [f"key{medoid}", *(f"key{i}" for i in others)]
    assert [text for text in words(figure) if text.startswith(f"{medoid}.")] == [f"{medoid}.{k}" for k in range(1, 6)]
    places = {text.get_position()[0] for text in figure.axes[0].texts if text.get_text().startswith("key")}
    assert len(places) == 1  # key tokens stand under each other


@pytest.mark.parametrize("layer", [0, 1])
def test_examples_that_are_images_are_drawn_with_what_the_unit_sees(layer: int, gray_atlas: Atlas) -> None:
    neuron = next(unit for unit in gray_atlas.iterate(layer) if len(unit) > 2)
    clusters, boxes = neuron.clusters(1.0), gray_atlas.boxes(layer)
    medoid = int(clusters.medoids[0])
    order = [medoid, *(i for i in range(len(neuron)) if i != medoid)][:3]
    figure = drawn(figures.cluster_dendrogram(neuron, 1.0))
    assert gray_atlas.images is not None
    expected = []
    for example in order:
        image = gray_atlas.images[neuron.context[example]]
        expected.append(image)
        if boxes is not None:
            top, left, bottom, right = boxes[neuron.position[example]]
            expected.append(image[top:bottom, left:right])
    found = [np.asarray(image.get_array()) for image in figure.axes[0].images]
    assert len(found) == len(expected) > 2
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    text = words(figure)
    assert text[text.index(f"×{len(neuron)}") + 1 :][:3] == [str(neuron.context[example] % 5) for example in order]
    assert not any("token" in t or "text" in t for t in text)
    assert isinstance(figure, BookFigure)
    assert list(figure.data["examples"]) == ["example", "cluster", "image", "position", "activation", "label"]


def test_a_centered_neuron_is_cut_where_it_is_cut_and_its_products_are_the_papers(
    tiny_atlas: Callable[[str], Atlas],
) -> None:
    """Figures 1 and 4 are about weights, which the centered vector has none of."""
    atlas = tiny_atlas("gpt2")
    centered = atlas.with_embedding("auto")
    table = atlas.neurons
    several = table[(table["n_clusters"] > 1) & (table["n_examples"] > 3)].iloc[0]
    place = int(several["layer"]), int(several["index"])
    neuron, shown = atlas.neuron(*place), centered.neuron(*place)
    title = f"{len(shown)} examples in {shown.clusters(shown.cut()).n_clusters} cluster"
    assert any(title in text for text in words(drawn(figures.cluster_dendrogram(shown))))
    for figure in (figures.embedding_illustration, figures.compare_embedding_spaces):
        by_paper, by_ours = figure(neuron), figure(shown)
        assert isinstance(by_paper, BookFigure) and isinstance(by_ours, BookFigure)
        for name, frame in by_paper.data.items():
            pd.testing.assert_frame_equal(frame, by_ours.data[name])


def test_leaves_are_in_an_order_without_crossings_and_clusters_together() -> None:
    for threshold in (0.2, 0.5, 0.9):
        clusters = FakeNeuron(FIVE, noise=0.8).clusters(threshold)
        order = leaf_order(clusters)
        assert clusters.labels[order[0]] == 0
        place = np.argsort(order)
        members = [[i] for i in range(len(order))]
        for left, right in clusters.linkage[:, :2].astype(int):
            members.append(members[left] + members[right])
            places = sorted(place[members[-1]])
            assert places == list(range(places[0], places[0] + len(places)))


def test_rare_behavior_names_both_sizes_and_grays_the_rest() -> None:
    figure = drawn(figures.rare_behavior(FakeNeuron([0] * 47 + [1] * 2 + [2])))
    text = words(figure)
    assert "Layer 7, neuron 123: a primary behavior (47 of 50 examples), a secondary one (2)" in text
    assert "×47" in text
    assert "×2" in text
    assert "×1" not in text
    assert any("no second behavior" in t for t in words(drawn(figures.rare_behavior(FakeNeuron([0] * 5)))))


def test_illustration_multiplies_to_the_embeddings() -> None:
    neuron = FakeNeuron(FIVE)
    figure = drawn(figures.embedding_illustration(neuron))
    vectors, weights, embedded = (np.asarray(ax.images[0].get_array()) for ax in figure.axes[:3])
    assert vectors.shape == embedded.shape == (6, 48)
    assert weights.shape == (1, 48)
    np.testing.assert_allclose(vectors * weights, embedded)
    assert "× input weights" in words(figure)
    before, after = figure.axes[3:]
    for ax in (before, after):
        (points,) = (c for c in ax.collections if isinstance(c, PathCollection))
        assert len(np.asarray(points.get_offsets())) == 40
        assert "principal axis" in ax.get_xlabel()
        assert ax.get_xlim() == before.get_xlim()
    key_tokens = [label.get_text().strip() for label in figure.axes[0].get_yticklabels()]
    assert key_tokens == [neuron.snippets[i].tokens[neuron.snippets[i].key].strip() for i in (0, 1, 20, 21, 32, 33)]


def test_illustration_shows_gradients_where_they_depend_on_the_example() -> None:
    class GradientNeuron(FakeNeuron):
        def embeddings(self, kind: str | None = None) -> np.ndarray:
            embedded = super().embeddings(None)
            return embedded * np.linspace(1, 2, len(embedded))[:, None]

    figure = drawn(figures.embedding_illustration(GradientNeuron(FIVE)))
    assert "× gradients" in words(figure)
    assert np.asarray(figure.axes[1].images[0].get_array()).shape == (6, 48)


def test_projection_keeps_the_distances_of_the_unit_vectors() -> None:
    angles = np.radians([0.0, 20.0, 100.0, 200.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    distances = 1 - vectors @ vectors.T
    xy, shares = project(distances)
    apart = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.testing.assert_allclose(apart**2, 2 * distances, atol=1e-12)
    assert shares.sum() == pytest.approx(1.0)
    for few in (1, 2):
        xy, shares = project(distances[:few, :few])
        assert xy.shape == (few, 2)
        assert np.isfinite(shares).all()


def test_spaces_compare_the_same_examples_and_print_their_distances() -> None:
    neuron = FakeNeuron(FIVE)
    figure = drawn(figures.compare_embedding_spaces(neuron, cluster_pair=(1, 2)))
    matrices = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title(loc="left").split("\n")[0] for ax in matrices] == [
        "pre-MLP vector",
        "neuron embedding",
        "another neuron's weights",
    ]
    labels = np.array([0] * 12 + [1] * 5)
    members = np.r_[20:37]
    for ax, kind in zip(matrices, ("pre_mlp", "input", "shuffled"), strict=True):
        distances = feature_clusters(neuron.embeddings(kind)[members]).distances
        np.testing.assert_allclose(np.asarray(ax.images[0].get_array()), distances)
        within = distances[(labels[:, None] == labels) & ~np.eye(17, dtype=bool)].mean()
        across = distances[labels[:, None] != labels].mean()
        assert ax.get_title(loc="left").endswith(f"intra {within:.2f}, inter {across:.2f}")
        assert ax.images[0].get_clim() == matrices[0].images[0].get_clim()
    assert "Layer 7, neuron 123: clusters 2 (12 examples) and 3 (5)" in words(figure)
    without_overlap(figure)
    drawn(figures.compare_embedding_spaces(FakeNeuron([0, 1])))


def test_spaces_need_two_different_clusters() -> None:
    with pytest.raises(NbkitError, match="one cluster at a threshold"):
        figures.compare_embedding_spaces(FakeNeuron([0, 0]))
    for pair in ((0, 0), (0, 5), (-1, 0)):
        with pytest.raises(NbkitError, match="two different clusters of 0 to 4"):
            figures.compare_embedding_spaces(FakeNeuron(FIVE), cluster_pair=pair)


def test_largest_share_counts_hidden_behaviors() -> None:
    shares = [1.0] * 3 + [0.95] * 2 + [0.9] + [0.5] * 4
    table = pd.DataFrame({"n_examples": [20] * 10 + [19], "largest_share": [*shares, 0.1]})
    figure = drawn(figures.largest_share_distribution(table))
    text = words(figure)
    assert "30.0% have one cluster only" in text
    assert "30.0% have a common behavior and rare others" in text
    assert any("(10 neurons with at least 20 examples)" in t for t in text)
    curve = figure.axes[0].lines[0].get_xydata()
    assert [0.5, 0.4] in np.asarray(curve).round(9).tolist()
    without_overlap(figure)


def test_layers_show_median_and_middle_half() -> None:
    table = many_neurons()
    figure = drawn(figures.polysemanticity_by_layer(table))
    kept = table[table["n_examples"] >= 20]
    labels = ("mean distance (cosine)", "feature clusters", "share of the largest cluster")
    for ax, column, label in zip(figure.axes, ("mean_distance", "n_clusters", "largest_share"), labels, strict=True):
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("layer", label)
        x, y = np.asarray(ax.lines[0].get_xydata()).T
        assert x.tolist() == [3, 4, 5]
        np.testing.assert_allclose(y, [kept[kept["layer"] == layer][column].median() for layer in (3, 4, 5)])
    drawn(figures.polysemanticity_by_layer(table[table["layer"] == 3]))


def test_distributions_show_every_metric_with_its_median() -> None:
    table = many_neurons()
    kept = table[table["n_examples"] >= 20]
    figure = drawn(figures.metric_distributions(table))
    assert len(figure.axes) == 6
    text = words(figure)
    for column in ("mean_distance", "intra_cluster", "inter_cluster", "largest_share", "silhouette"):
        assert f"median {kept[column].median():.2f}" in text
    for ax in figure.axes:
        shown = sum(patch.get_height() for patch in ax.patches if isinstance(patch, Rectangle))
        assert shown == pytest.approx(1.0) or ax.get_xlabel() in ("inter-cluster distance (cosine)", "silhouette")
    without_overlap(figure)
    alone = table[table["n_clusters"] == 1]  # no inter-cluster distance and no silhouette at all
    drawn(figures.metric_distributions(alone))


@pytest.mark.parametrize(
    "draw", [figures.largest_share_distribution, figures.polysemanticity_by_layer, figures.metric_distributions]
)
def test_tables_without_enough_examples_are_refused(draw: Callable[[pd.DataFrame, int], Figure]) -> None:
    with pytest.raises(NbkitError, match="200 examples"):
        draw(many_neurons(), 200)


def intervals(kinds: tuple[str, ...], metrics: tuple[str, ...]) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    rows = [
        (k, m, s, v := rng.uniform(0.2, 0.8), v - 0.05, v + 0.05)
        for k in kinds
        for m in metrics
        for s in ("mean", "median")
    ]
    return pd.DataFrame(rows, columns=["kind", "metric", "statistic", "value", "low", "high"])


def test_table1_shows_values_intervals_and_the_papers_numbers() -> None:
    table = intervals(("pre_mlp", "gate", "up", "shuffled"), ("intra_cluster", "inter_cluster"))
    figure = drawn(table1_intervals(table))
    for ax, metric, paper in zip(
        figure.axes, ("intra_cluster", "inter_cluster"), ([0.31, 0.21], [0.63, 0.73]), strict=True
    ):
        rows = table[table["metric"] == metric]
        solid = np.concatenate([np.asarray(line.get_xdata()) for line in ax.lines[:2]])
        assert sorted(solid) == sorted(rows["value"])
        hollow = [np.asarray(line.get_xydata()).tolist() for line in ax.lines[2:]]
        assert hollow == [[[paper[0], 0.0]], [[paper[1], 1.0]]]  # pre-MLP, and the first neuron embedding
        ends = [tuple(s[:, 0]) for c in ax.collections if isinstance(c, LineCollection) for s in c.get_segments()]
        assert sorted(ends) == sorted(zip(rows["low"], rows["high"], strict=True))
    text = words(figure)
    assert {"mean", "median", "paper (GPT2-small)", "intra-cluster distance (cosine)"} <= {*text}
    assert EMBEDDING_NAMES["shuffled"] in text
    without_overlap(figure)


@pytest.mark.parametrize("n_metrics", [1, 3, 6])
def test_table1_has_a_panel_for_each_metric(n_metrics: int) -> None:
    names = (
        "intra_cluster",
        "inter_cluster",
        "silhouette",
        "token_agreement",
        "silhouette_matched",
        "token_agreement_matched",
    )
    figure = drawn(table1_intervals(intervals(("pre_mlp", "input", "shuffled"), names[:n_metrics])))
    assert sum(ax.axison for ax in figure.axes) == n_metrics
    without_overlap(figure)


def test_table1_refuses_other_tables() -> None:
    table = intervals(("pre_mlp",), ("intra_cluster",))
    with pytest.raises(NbkitError, match="lacks the columns low, high"):
        table1_intervals(table.drop(columns=["low", "high"]))
    with pytest.raises(NbkitError, match="none of the metrics"):
        table1_intervals(table.assign(metric="loss"))


def test_text_is_measured_as_it_is_drawn() -> None:
    figure = Figure(dpi=720)
    for text in ("interest", "WWW", "iii", "a b", "↵ é"):
        artist = figure.text(0, 0, text, size=10, parse_math=False, family="DejaVu Sans")
        drawn_width = artist.get_window_extent(FigureCanvasAgg(figure).get_renderer()).width / 10  # type: ignore[no-untyped-call]
        assert width(text, 10) == pytest.approx(drawn_width, abs=1.5)
        assert width(text, 20) == pytest.approx(2 * width(text, 10))


def test_clip_keeps_what_fits() -> None:
    assert clip("short", 100, 8) == "short"
    clipped = clip("W" * 400, 50, 8)
    assert clipped == "W" * (len(clipped) - 1) + "…"
    assert width(clipped, 8) <= 50 < width("W" + clipped, 8)


def test_clip_leaves_room_for_the_ellipsis_of_what_follows() -> None:
    room = width("short", 8)
    assert clip("short", room, 8) == "short"
    assert clip("short", room, 8, more=True) != "short"
    assert clip("short", room + width("…", 8), 8, more=True) == "short"


@pytest.mark.parametrize("length", range(1, 40))
def test_a_snippet_stays_in_its_columns(length: int) -> None:
    figure = Figure(figsize=(4, 1))
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, 288), ylim=(72, 0))
    tokens = (*[" " + "x" * length] * 6, " key", *[" " + "x" * length] * 6)
    draw_snippet(ax, Snippet(tokens, (0.0,) * 13, 6, 0, 6), 40.0, (20.0, 150.0, 270.0), 1.0, CLUSTER_COLORS[0])
    found = boxes(drawn(figure))
    assert "key" in [text for text, _ in found]
    assert min(box.x0 for _, box in found) >= 20.0 / 72 * 100 - 1
    assert max(box.x1 for _, box in found) <= 270.0 / 72 * 100 + 1
    without_overlap(figure)


def test_drawable_text_has_no_controls_and_no_missing_glyphs() -> None:
    assert drawable("plain Ünïcode") == "plain Ünïcode"
    assert drawable("漢字👍") == "□□□"
    assert drawable("Z\u0338\u0322a\u0301\u0302") == "Zá"
    assert drawable("\u202e") == "⟨U+202E⟩"
    with pytest.warns(UserWarning, match="missing from font"):
        draw_text("漢")
    for token in TOKENS:
        draw_text(drawable(token))


def draw_text(text: str) -> None:
    figure = Figure(figsize=(3, 1))
    figure.text(0, 0, text, family="DejaVu Sans", parse_math=False)
    drawn(figure)


def test_figures_leave_pyplot_and_the_readers_settings_alone() -> None:
    with mpl.rc_context({"figure.facecolor": "black", "font.size": 30.0, "text.usetex": True}):
        figure = figures.cluster_dendrogram(FakeNeuron(FIVE))
        assert mpl.rcParams["font.size"] == 30.0
    assert to_hex(figure.get_facecolor()) == "#ffffff"
    assert figure.get_figwidth() == 7.0
    assert figure.get_dpi() == 160.0
    assert plt.get_fignums() == []


def test_notebooks_show_the_returned_figure() -> None:
    shown, _ = DisplayFormatter().format(figures.cluster_dendrogram(FakeNeuron([0, 1])))  # type: ignore[no-untyped-call]
    assert shown["image/png"].startswith(b"\x89PNG")


def test_every_panel_has_labeled_axes() -> None:
    table, neuron = many_neurons(), FakeNeuron(FIVE)
    for figure in (
        figures.largest_share_distribution(table),
        figures.polysemanticity_by_layer(table),
        figures.metric_distributions(table),
        figures.compare_embedding_spaces(neuron),
    ):
        panels: list[Axes] = [ax for ax in figure.axes if ax.axison and ax.get_label() != "<colorbar>"]
        assert all(ax.get_xlabel() for ax in panels)
        assert any(ax.get_ylabel() for ax in panels)
