"""The shards of images: whichever side opens them, an example has the pixels and the box that the atlas has."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbkit
from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.explorers.atlas.image_shard import ShownImages
from nbkit.explorers.atlas.shards import AtlasShards
from nbkit.explorers.shared.bundle import EXPLORERS_FOLDER, module_text
from tests.browser.node import run_module
from tests.examples.packed import opened, unpacked
from tests.examples.pictures import HEIGHT, LABELS, WIDTH, colored_atlas
from tests.explorers.test_atlas_js import evaluate

READ = """
const opened = {};
for (const [name, [layout, text]] of Object.entries(data)) {
  opened[name] = await unpack(layout, Buffer.from(text, 'base64'));
  if (opened[name].json) opened[name].json = JSON.parse(new TextDecoder().decode(opened[name].json));
}
const overview = new Overview(opened.overview);
const images = new Images({ get: async (name) => opened[name] }, overview);
const found = [];
for (let row = 0; row < overview.n; row++) {
  const pictures = images.at(overview.places[row]);
  const shard = opened[overview.shardOf("neurons", row)];
  const words = { ...opened.vocabulary.json, called: overview.called, pictures };
  const { contexts, positions, ...rest } = neuronData(shard, row % overview.per_shard, words);
  const medoids = medoidsOf(opened["medoids-00000"], row, words);
  const examples = [];
  for (const [i, context] of contexts.entries()) {
    examples.push([context, positions[i], Array.from(await images.load(context)), pictures.box({ positions }, i),
      pictures.described({ ...rest, contexts, positions }, i)]);
  }
  found.push([examples, medoids.contexts, medoids.positions]);
}
console.log(JSON.stringify(found));
"""


def read(atlas: Atlas) -> list[Any]:
    """Of each unit what the browser has of its examples: the image, position, pixels, box and words, and of its medoids
    the images and positions."""
    shards = AtlasShards(atlas)
    names = [name for name in shards.names() if not name.startswith(("similar", "phrases", "features"))]
    made = {name: shards.shard(name) for name in names}
    packed = {name: (layout, base64.b64encode(body).decode()) for name, (layout, body) in made.items()}
    text = module_text("atlas/atlas.js").replace("export default { render };", "")
    packing = (EXPLORERS_FOLDER / "shared/packing.js").read_text(encoding="utf-8")
    assert packing.split("\n")[-2] in text, "it is part of the explorer"
    found: list[Any] = json.loads(run_module(f"{text}const data = {json.dumps(packed)};{READ}"))
    return found


def test_the_browser_has_the_pixels_and_the_box_of_every_example(
    gray_atlas: Atlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbkit.explorers.atlas.image_shard.IMAGE_BYTES", 7 * HEIGHT * WIDTH)
    atlas = gray_atlas
    assert atlas.images is not None and atlas.boxes(1) is None
    assert len([name for name in AtlasShards(atlas).names() if name.startswith("images")]) > 3
    n_examples = 0
    for place, (examples, medoids, at) in enumerate(read(atlas)):
        neuron = atlas.neuron(*atlas.at(place))
        boxes = atlas.boxes(neuron.layer)
        rows = zip(examples, neuron.examples.itertuples(), strict=True)
        for (context, position, pixels, box, described), one in rows:
            assert (context, position) == (one.context, one.position)
            assert pixels == atlas.images[context].ravel().tolist()
            words = f"image {context}, label {LABELS[context]}"
            if boxes is None:
                assert box is None and described == words
            else:
                top, left, bottom, right = boxes[position].tolist()
                assert box == {"top": top, "left": left, "bottom": bottom, "right": right}
                where = f"rows {top} to {bottom - 1}, columns {left} to {right - 1}"
                assert described == f"{words}, patch at {where}"
            n_examples += 1
        own = [(int(neuron.context[i]), int(neuron.position[i])) for i in medoids_of(atlas, neuron.layer, neuron.index)]
        assert list(zip(medoids, at, strict=True)) == own
    assert n_examples > 50


def medoids_of(atlas: Atlas, layer: int, index: int) -> list[int]:
    """The medoids of a unit's features, the largest first."""
    from nbkit.features.table import features_of

    table = features_of(atlas)
    its = table[(table["layer"] == layer) & (table["index"] == index)]
    return [int(medoid) for medoid in its["medoid"]]


def test_only_images_that_are_shown_are_sent_and_colors_stay(tmp_path: Path) -> None:
    atlas = colored_atlas(tmp_path / "atlas")
    shards = AtlasShards(atlas)
    overview, about = opened(*shards.shard("overview"))
    assert about["inputs"] == "images"
    assert about["images"] == {"height": 7, "width": 6, "channels": 3, "per_shard": 396, "labeled": False}
    shown = set()
    for neuron in atlas.iterate(0):
        shown |= {*neuron.context, *neuron.strongest.context, *(c for level in neuron.levels for c in level.context)}
    assert overview["shown"].tolist() == sorted(shown) and len(shown) < 40
    [pixels] = unpacked(*shards.shard("images-00000")).values()
    assert atlas.images is not None
    assert np.array_equal(pixels.reshape(-1, 7, 6, 3), atlas.images[sorted(shown)])
    assert not any(name.startswith("boxes") for name in overview)


def test_an_atlas_of_text_is_sent_as_before(tiny_atlas: Callable[[str], Atlas]) -> None:
    shards = AtlasShards(tiny_atlas("gpt2"))
    assert not any(name.startswith("images") for name in shards.names())
    overview, about = opened(*shards.shard("overview"))
    assert not {"inputs", "images"} & set(about) and "shown" not in overview
    assert not {"context", "position"} & set(unpacked(*shards.shard("medoids-00000")))
    with pytest.raises(NbkitError, match="no part"):
        shards.shard("images-00000")


def test_photos_have_a_shard_each() -> None:
    photos = np.zeros((3, 300, 200, 3), dtype=np.uint8)
    assert ShownImages(None, photos).per_shard == 1  # type: ignore[arg-type]


def test_no_model_reads_images(gray_atlas: Atlas) -> None:
    explorer = nbkit.explore(gray_atlas)
    assert not explorer.has_model  # type: ignore[union-attr]
    with pytest.raises(NbkitError, match=r"is of images, which no language model reads: leave out `model`\.$"):
        nbkit.explore(gray_atlas, object())  # type: ignore[arg-type]


def test_pixels_become_what_a_canvas_takes() -> None:
    script = "return [Array.from(rgbaOf(data, 1)), Array.from(rgbaOf(data, 3))];"
    gray, colored = evaluate("shared/pictures.js", script, [0, 7, 255])
    assert gray == [0, 0, 0, 255, 7, 7, 7, 255, 255, 255, 255, 255]
    assert colored == [0, 7, 255, 255]


def test_small_images_are_enlarged_by_whole_numbers_and_large_ones_reduced() -> None:
    sizes = [[28, 28], [32, 32], [8, 8], [12, 10], [64, 64], [65, 30], [96, 96], [224, 112], [1, 1]]
    scales = evaluate("shared/pictures.js", "return data.map(([h, w]) => pictureScale(h, w));", sizes)
    assert scales == [2, 2, 8, 5, 1, 1, 1, pytest.approx(96 / 224), 64]


def test_a_number_is_found_among_sorted_ones() -> None:
    numbers = [0, 3, 4, 9, 200]
    assert evaluate("shared/ranking.js", "return data.map((n) => placeAmong(data, n));", numbers) == [0, 1, 2, 3, 4]


def test_every_kind_of_input_has_its_words() -> None:
    script = """
        const kinds = [[undefined], ["tokens"], ["texts"], ["labels"], ["images", true], ["images", false]];
        return kinds.map(([kind, labeled]) => {
          const { context, key, sought, counted, place } = inputWords(kind, labeled);
          return [context, key, sought, counted, place(12, 3)];
        });
    """
    assert evaluate("shared/input-words.js", script, None) == [
        ["context", "key token", "a word", True, "context 12, position 3"],
        ["window", "key token", "a word", True, "window 12, position 3"],
        ["text", "text", "a text", False, "text 12"],
        ["input", "label", "a label", True, "input 12"],
        ["image", "label", "a label", True, "image 12"],
        ["image", "image", None, False, "image 12"],
    ]


def test_units_that_see_images_have_them_in_common() -> None:
    one = {"contexts": [1, 2, 5], "positions": [9, 9, 9], "tokens": [[0]] * 3, "keys": [0] * 3, "vocabulary": ["7"]}
    other = {**one, "contexts": [2, 5, 6], "positions": [9, 0, 9]}
    script = """
        const pictured = (data) => ({ ...data, pictures: {} });
        return [inCommon(data.one, data.other), inCommon(pictured(data.one), pictured(data.other))];
    """
    found = evaluate("atlas/comparison.js", script, {"one": one, "other": other})
    assert [each["places"] for each in found] == [1, 2]
