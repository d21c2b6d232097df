"""Arrays as units, held against a loop; what doesn't belong together is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import nbkit
from nbkit.errors import NbkitError
from nbkit.explorers.atlas.shards import AtlasShards, make_parts
from nbkit.features.one_word import ONE_WORD
from nbkit.features.phrases import phrases_of
from nbkit.features.showcase import featured
from nbkit.features.table import features_of
from nbkit.units.inputs import read_inputs

RNG = np.random.default_rng(0)
N, M, D = 60, 6, 8
READ, WEIGHTS, BIAS = RNG.normal(size=(N, D)), RNG.normal(size=(M, D)), RNG.normal(size=M)
TEXTS = [f"a text, number {number % 7}" for number in range(N)]
CONFIG = nbkit.AtlasConfig(max_examples=8, batch_size=7, block_size=20)


def made(out: Path, inputs: Any = None, read: Any = READ, **options: Any) -> nbkit.Atlas:
    texts = TEXTS if inputs is None else inputs
    return nbkit.atlas_from_arrays(read, WEIGHTS, texts, out, **{"config": CONFIG, "progress": False} | options)


@pytest.mark.parametrize("sign", ["positive", "negative", "both"])
@pytest.mark.parametrize("activation", ["relu", "silu", "linear"])
def test_the_examples_are_those_of_a_loop(activation: str, sign: Any, tmp_path: Path) -> None:
    config = nbkit.AtlasConfig(max_examples=8, sign=sign)
    atlas = made(tmp_path / "atlas", bias=BIAS, activation=activation, config=config)
    pre = torch.from_numpy(READ @ WEIGHTS.T + BIAS)
    act = {"relu": torch.relu, "silu": torch.nn.functional.silu, "linear": torch.clone}[activation](pre).numpy()
    strengths = {"positive": act, "negative": -act, "both": np.abs(act)}[sign]
    for unit in range(M):
        mine = strengths[:, unit]
        needed = [i for i in range(N) if mine[i] > 0 and mine[i] >= 0.75 * mine.max()][:8]
        neuron = atlas.neuron(0, unit)
        assert neuron.context.tolist() == needed and not neuron.position.any()
        np.testing.assert_allclose(neuron.peak, act[needed, unit], rtol=1e-5)
        np.testing.assert_allclose(neuron.embeddings("input"), READ[needed] * WEIGHTS[unit], rtol=1e-5)
        np.testing.assert_allclose(neuron.embeddings("input").sum(1) + BIAS[unit], pre[needed, unit], rtol=1e-4)
        assert [snippet.key_token for snippet in neuron.snippets] == [TEXTS[i] for i in needed]


@pytest.mark.parametrize("kind", [np.float16, np.float64, torch.float32, torch.bfloat16, list])
def test_arrays_may_be_of_any_kind(kind: Any, tmp_path: Path) -> None:
    whole = np.rint(READ * 4)  # exact in every precision
    read: Any = whole.tolist() if kind is list else None
    if read is None:
        read = torch.from_numpy(whole).to(kind) if isinstance(kind, torch.dtype) else whole.astype(kind)
    one, other = made(tmp_path / "one", read=read), made(tmp_path / "other", read=whole)
    assert np.array_equal(one.neuron(0, 1).pre_mlp, other.neuron(0, 1).pre_mlp)


def test_a_file_that_is_mapped_is_read_as_it_is(tmp_path: Path) -> None:
    np.save(tmp_path / "read.npy", READ)
    one = made(tmp_path / "one", read=np.load(tmp_path / "read.npy", mmap_mode="r"))
    assert np.array_equal(one.neuron(0, 1).pre_mlp, made(tmp_path / "other").neuron(0, 1).pre_mlp)


def test_windows_of_tokens_with_a_vector_at_one_of_them(tmp_path: Path) -> None:
    windows = [[f"w{number % 5}", " and", f" v{number % 3}", " end"][: 2 + number % 3] for number in range(N)]
    keys = [number % 2 for number in range(N)]
    atlas, plain = made(tmp_path / "atlas", windows, keys=keys), made(tmp_path / "plain")
    for unit in range(M):
        one, other = atlas.neuron(0, unit), plain.neuron(0, unit)
        assert one.context.tolist() == other.context.tolist()
        assert one.position.tolist() == [keys[context] for context in one.context]
        np.testing.assert_array_equal(one.pre_mlp, other.pre_mlp)
        for snippet in one.snippets:
            window = windows[snippet.context]
            assert snippet.tokens == (*window, *[" "] * (4 - len(window)))
            assert [place for place, value in enumerate(snippet.activations) if value] == [keys[snippet.context]]
    found = phrases_of(atlas, progress=False)["phrase"].tolist()
    assert "w1" in found and "and" in found


def test_windows_of_tokens_with_a_vector_at_each(tmp_path: Path) -> None:
    read = RNG.normal(size=(N, 3, D))
    windows = [["a", " b", " c"][: 1 + number % 3] for number in range(N)]
    atlas = made(tmp_path / "atlas", windows, read=read)
    act = np.maximum(np.einsum("ntd,md->ntm", read, WEIGHTS), 0)
    for number, window in enumerate(windows):
        act[number, len(window) :] = 0  # nothing is read behind the end
    for unit in range(M):
        peaks = act[:, :, unit].max(1)
        needed = [i for i in range(N) if peaks[i] > 0 and peaks[i] >= 0.75 * peaks.max()][:8]
        neuron = atlas.neuron(0, unit)
        assert neuron.context.tolist() == needed
        assert neuron.position.tolist() == [int(act[i, :, unit].argmax()) for i in needed]


def test_images_with_labels_and_boxes(tmp_path: Path) -> None:
    images, labels = RNG.integers(0, 256, (N, 4, 6, 3)).astype(np.uint8), [number % 4 for number in range(N)]
    boxes = [[0, 0, 2, 6], [2, 0, 4, 6]]
    read = RNG.normal(size=(N, 2, D))
    atlas = made(tmp_path / "atlas", images, read=read, labels=labels, boxes=boxes)
    assert np.array_equal(atlas.images, images) and np.array_equal(atlas.boxes(0), boxes)  # type: ignore[arg-type]
    neuron = atlas.neuron(0, 0)
    assert set(neuron.position) == {0, 1} and [s.tokens for s in neuron.snippets] == [
        (str(c % 4),) for c in neuron.context
    ]
    for context, position, vector in zip(neuron.context, neuron.position, neuron.pre_mlp, strict=True):
        np.testing.assert_array_equal(vector, read[context, position].astype(np.float32))


@pytest.mark.parametrize(
    "images",
    [
        RNG.random((3, 4, 5)),
        RNG.random((3, 1, 4, 5)),
        RNG.random((3, 4, 5, 1)),
        torch.from_numpy(RNG.random((3, 4, 5))),
        RNG.random((3, 4, 5)) > 0.5,
    ],
)
def test_gray_images_of_any_shape(images: Any) -> None:
    found = read_inputs(images, 3).images
    assert found is not None and found.shape == (3, 4, 5)
    values = np.asarray(images, dtype=float).reshape(3, 4, 5)
    np.testing.assert_array_equal(found, np.rint(values * 255))


def test_colors_may_come_before_the_pixels() -> None:
    images = RNG.random((2, 3, 4, 5)).astype(np.float32)
    found = read_inputs(images, 2).images
    assert found is not None
    np.testing.assert_array_equal(found, np.rint(images.transpose(0, 2, 3, 1) * 255))


def test_an_atlas_of_arrays_is_explored_and_told_apart(tmp_path: Path) -> None:
    atlas = made(tmp_path / "atlas")
    make_parts(atlas, progress=False)
    assert not (atlas.path / ONE_WORD).is_file(), "they are counted in text alone"
    shards = AtlasShards(atlas)
    for name in shards.names():
        shards.shard(name)
    assert {choice.neuron.layer for choice in featured(atlas)} == {0}
    assert "a text, number 1" in phrases_of(atlas, progress=False)["phrase"].tolist()
    assert made(tmp_path / "atlas").manifest == atlas.manifest  # opened
    for change in ({"read": READ + 1}, {"bias": BIAS}, {"inputs": TEXTS[::-1]}, {"activation": "silu"}):
        with pytest.raises(NbkitError, match="holds an atlas of another"):
            made(tmp_path / "atlas", **change)


def test_texts_are_found_by_any_of_their_words(tmp_path: Path) -> None:
    """Each 1 of 7 texts is long; a word counts once in a text, and where two examples of a feature have it."""
    texts = [f"The word {'again ' * 12}and number {number % 7}" for number in range(N)]
    atlas = made(tmp_path / "atlas", texts)
    found, features = phrases_of(atlas, progress=False), features_of(atlas, progress=False)
    assert "again" in set(found["phrase"]) and "the word" not in set(found["phrase"])
    for unit in atlas.iterate(0):
        labels = unit.clusters().labels
        for feature, row in features[features["index"] == unit.index].iterrows():
            members = unit.context[labels == row["place"]]
            expected = {word: 0 for context in members for word in texts[context].lower().split()}
            for context in members:
                for word in set(texts[context].lower().split()):
                    expected[word] += 1
            least = 2 if len(members) >= 4 else 1
            mine = found[found["feature"] == feature].set_index("phrase")["count"].to_dict()
            assert mine == {word: count for word, count in expected.items() if count >= least}


def test_images_are_nothing_for_neuronpedia(tmp_path: Path) -> None:
    atlas = made(tmp_path / "atlas", RNG.random((N, 4, 5)))
    with pytest.raises(NbkitError, match=r"Neuronpedia shows text, and atlas .* is of images"):
        nbkit.export_neuronpedia(atlas, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_arrays_on_the_same_inputs_join(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one"), made(tmp_path / "other", read=READ[:, ::-1].copy(), bias=BIAS)
    both = nbkit.join_atlases([one, other], tmp_path / "both")
    assert both.layers == (0, 1) and np.array_equal(both.neuron(1, 2).pre_mlp, other.neuron(0, 2).pre_mlp)
    third = made(tmp_path / "third", TEXTS[::-1])
    with pytest.raises(NbkitError, match="atlases of another"):
        nbkit.join_atlases([one, third], tmp_path / "no")


def test_a_unit_that_is_no_number_costs_a_row(tmp_path: Path) -> None:
    weights = WEIGHTS.copy()
    weights[2, 3], weights[4] = np.nan, 0
    atlas = nbkit.atlas_from_arrays(READ, weights, TEXTS, tmp_path / "atlas", config=CONFIG, progress=False)
    assert atlas.neurons["max_activation"].isna().tolist() == [False, False, True, False, False, False]
    assert atlas.neurons["n_examples"].eq(0).tolist() == [False, False, True, False, True, False]


@given(st.lists(st.text(max_size=4), min_size=1, max_size=12))
@settings(deadline=None, max_examples=60)
def test_texts_of_any_kind_are_kept_apart(texts: list[str]) -> None:
    found = read_inputs(texts, len(texts))
    assert [found.items[code] for code in found.tokens[:, 0]] == texts and len(set(found.items)) == len(found.items)


IMAGES = RNG.random((N, 4, 5))
WRONG: list[tuple[str, dict[str, Any]]] = [
    (f"read has shape ({N}, 5): give (inputs, width)", {"read": READ[:, :5]}),
    ("read has shape (8,): give (inputs, width)", {"read": READ[0]}),
    ("read hold text: give real numbers", {"read": [["a"] * D] * N}),
    ("read holds NaN or infinity in input 3", {"read": np.where(np.arange(N)[:, None] == 3, np.inf, READ)}),
    ("bias has shape (5,): give one number for each of the 6 units", {"bias": BIAS[:5]}),
    ("unknown activation function 'rely'", {"activation": "rely"}),
    (f"there are 59 inputs and {N} rows", {"inputs": TEXTS[1:]}),
    ("inputs are 'a long text': give texts", {"inputs": "a long text"}),
    ("inputs hold None: give strings or numbers", {"inputs": [None] * N}),
    ("inputs are empty windows", {"inputs": [[]] * N}),
    ("labels are for images", {"labels": [1] * N}),
    ("keys are for windows of tokens", {"keys": [0] * N}),
    ("with one vector each: give `keys`", {"inputs": [["a", "b"]] * N}),
    ("places of tokens, 0 to 1", {"inputs": [["a", "b"]] * N, "keys": [2] * N}),
    ("read has 3 vectors of each input, and the texts have 1", {"read": np.zeros((N, 3, D))}),
    (
        "read has 3 vectors of each input, and the tokens have 2",
        {"read": np.ones((N, 3, D)), "inputs": [["a", "b"]] * N},
    ),
    (f"images have shape ({N}, 4): give (n, height, width)", {"inputs": IMAGES[:, :, 0]}),
    (f"images have shape ({N}, 2, 4, 5): give (n, height, width)", {"inputs": np.stack([IMAGES] * 2, 1)}),
    ("images hold float64 from 0", {"inputs": IMAGES * 2}),
    ("boxes are for images", {"boxes": [[0, 0, 1, 1]]}),
    ("boxes have shape (1, 4): give top, left, bottom and right", {"inputs": IMAGES, "boxes": [[0, 0, 5, 1]]}),
    ("boxes have shape (2, 4): give top, left, bottom and right", {"inputs": IMAGES, "boxes": [[0, 0, 1, 1]] * 2}),
]


@pytest.mark.parametrize(("message", "change"), WRONG, ids=[message for message, _ in WRONG])
def test_what_does_not_belong_together_is_refused(message: str, change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(NbkitError, match=re.escape(message)):
        made(tmp_path / "atlas", **change)
    assert not (tmp_path / "atlas").exists()
