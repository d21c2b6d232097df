"""The browser's side of the latent explorer, its pure functions run under Node.js against PyTorch and NumPy."""

from __future__ import annotations

import base64
import json
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from nbkit.explorers import LatentExplorer
from nbkit.explorers.latent.latent import explorer_arrays
from nbkit.explorers.shared.bundle import module_text
from nbkit.explorers.shared.packing import TYPES, pack
from nbkit.mnist.hidden import Hidden, hidden_of
from nbkit.mnist.reports import latent_view, report_on
from nbkit.mnist.view import LatentView, MlpWeights, activation_curve
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.config import SaeConfig
from nbkit.sae.report import SaeReport
from nbkit.sae.training import train_sae
from tests.browser.node import run_module
from tests.examples.latents import example_models

N_CASES = 50
SIDE, PEN = 28, 1.75


@cache
def module() -> str:
    return module_text("latent/latent.js")


def run(script: str, **values: Any) -> Any:
    """What the JavaScript expression `script` gives for `values`; NaN and undefined come back as None."""
    given = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
    return json.loads(run_module(f"{module()}\n{{\n{given}console.log(JSON.stringify({script}));\n}}"))


def test_the_served_module_exports_a_widget_and_imports_nothing() -> None:
    assert "import" not in [line.split(" ")[0] for line in module().splitlines()]
    assert run("typeof render") == "function"


def test_packed_arrays_open() -> None:
    rng = np.random.default_rng(0)
    arrays = {kind: np.frombuffer(rng.bytes(4 * (5 + i)), kind) for i, kind in enumerate(TYPES)}
    arrays["float32"] = rng.normal(size=(3, 2)).astype(np.float32)
    arrays["nothing"] = np.empty((0, 7), dtype=np.uint16)
    layout, packed = pack(arrays)
    opened = "Object.entries(await unpack(layout, Buffer.from(packed, 'base64')))"
    found = run(
        f"{opened}.map(([name, array]) => [name, array.constructor.name, [...array]])",
        layout=layout,
        packed=base64.b64encode(packed).decode(),
    )
    assert [name for name, _, _ in found] == list(arrays)
    for name, kind, values in found:
        assert kind.lower() == f"{arrays[name].dtype}array"
        assert np.array_equal(np.array(values, dtype=arrays[name].dtype), arrays[name].ravel())


# real latents, through all that Python sends


@pytest.fixture(scope="module")
def hidden() -> Hidden:
    return hidden_of(0)


@pytest.fixture(scope="module")
def sae(hidden: Hidden) -> SparseAutoencoder:
    return train_sae(hidden.train[:12_800], SaeConfig(d_sae=96), progress=False)


@pytest.fixture(scope="module")
def report(hidden: Hidden, sae: SparseAutoencoder) -> SaeReport:
    return report_on(hidden, sae)


@pytest.fixture(scope="module")
def view(hidden: Hidden, sae: SparseAutoencoder, report: SaeReport) -> LatentView:
    return latent_view("SAE", hidden, report, sae)


@pytest.fixture(scope="module")
def explorer(hidden: Hidden, view: LatentView) -> LatentExplorer:
    into, out = hidden.mlp.into, hidden.mlp.out
    mlp = MlpWeights(*(a.numpy() for a in (into.weight.T, into.bias, out.weight.T, out.bias)))
    return LatentExplorer([view], mlp, hidden.test_pixels.numpy(), hidden.test_labels.numpy())


def run_on(explorer: LatentExplorer, script: str, **values: Any) -> Any:
    """`run` with the explorer's `data` and its only `view`."""
    opened = "makeData(about, await unpack(about.layout, Buffer.from(packed, 'base64')))"
    return run(
        f"await (async () => {{ const data = {opened}; const view = data.views[0]; return {script}; }})()",
        about=json.loads(explorer.about),
        packed=base64.b64encode(explorer.packed).decode(),
        **values,
    )


def test_the_forward_pass_is_that_of_torch(hidden: Hidden, sae: SparseAutoencoder, explorer: LatentExplorer) -> None:
    script = """[...data.numbers.keys()].slice(0, 200).map((i) => {
      const h = hiddenLayer(data.mlp, data.image(i));
      return [data.numbers[i], [...h], [...unitActivations(view, h)], [...probabilities(data.mlp, h)]];
    })"""
    numbers, neurons, latents, shares = (list(part) for part in zip(*run_on(explorer, script), strict=True))
    h = hidden.test[numbers]
    with torch.no_grad():
        assert np.allclose(neurons, h, atol=1e-4)
        assert np.allclose(latents, sae.encode(h), atol=1e-4)
        assert np.allclose(shares, hidden.readout(h).softmax(1), atol=1e-5)
    assert np.count_nonzero(latents) > 200


def test_hidden_neurons_are_their_own_units() -> None:
    assert run("unitActivations({ encoder: undefined }, [3, 0, 2])") == [3, 0, 2]


def test_a_view_is_the_same_in_the_browser(
    hidden: Hidden, report: SaeReport, view: LatentView, explorer: LatentExplorer
) -> None:
    units = [int(j) for j in report.latents.query("size > 1").index[:20]]
    script = """units.map((j) => {
      const images = view.examples(j);
      return {
        numbers: images.map((i) => data.numbers[i]),
        activations: activationsOn(data, view, j, images),
        clusters: view.clusters(j).map((images) => images.map((i) => data.numbers[i])),
        metrics: view.metrics.map(({ values }) => values[j]),
        map: [...view.map(j)], curve: view.curve(j), average: [...averageImage(data, images)],
        digits: digitCounts(data, images),
      };
    })"""
    for j, found in zip(units, run_on(explorer, script, units=units), strict=True):
        examples = report.examples(j)
        assert found["numbers"] == examples.tolist()
        assert np.allclose(found["activations"], report.activations(j), atol=1e-4)
        labels = report.clusters(j).labels
        assert found["clusters"] == [examples[labels == k].tolist() for k in range(labels.max() + 1)]
        assert np.allclose(np.array(found["metrics"], float), view.metrics.loc[j].to_numpy(float), equal_nan=True)
        expected = view.activation_maps[j]
        assert np.allclose(found["map"], expected, atol=1e-5)
        assert np.allclose(found["curve"], view.curves[j], atol=0.51 / 255)
        assert np.allclose(found["average"], hidden.test_pixels[examples].mean(0), atol=1e-6)
        counts = Counter(hidden.test_labels[examples].tolist())
        assert dict(found["digits"]) == counts
        assert [n for _, n in found["digits"]] == sorted(counts.values(), reverse=True)


# made-up numbers


def test_maps_that_do_not_follow_from_the_weights_are_sent() -> None:
    models = example_models()
    views = [replace(view, activation_maps=view.activation_maps[::-1] * 2) for view in models.views]
    about, arrays = explorer_arrays(views, models.mlp, models.images, models.labels)
    for i, view in enumerate(views):
        sent = {name: arrays[f"{i}.{name}"].ravel().tolist() for name in ("maps", "map_scale", "curves", "starts")}
        script = "[...makeView(told, {}, (name) => sent[name] && Float32Array.from(sent[name])).map(3)]"
        found = run(script, told=about["views"][i] | {"metrics": []}, sent=sent)
        assert np.allclose(found, view.activation_maps[3], atol=0.51 * np.abs(view.activation_maps[3]).max() / 127)


def test_affine_maps_and_shares() -> None:
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=30), rng.normal(size=(30, 7)), rng.normal(size=7)
    x[::3] = 0
    logits = [[1000.0, 999.0, -1000.0], [0.0], [-3.0, 2.0]]
    found, shares = run(
        "[[...affine(x, w, b)], logits.map(softmax)]", x=x.tolist(), w=w.ravel().tolist(), b=b.tolist(), logits=logits
    )
    assert np.allclose(found, x @ w + b)
    for row, expected in zip(shares, logits, strict=True):
        assert np.allclose(row, torch.tensor(expected, dtype=torch.float64).softmax(0))


def test_a_ranking_is_stable_with_the_undefined_last() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 6, size=int(rng.integers(1, 40))).astype(float) for _ in range(N_CASES)]
    for row in rows:
        row[rng.random(len(row)) < 0.2] = np.nan
    script = """rows.map((row) => row.map((value) => value ?? NaN))
      .map((row) => [ranking(row, false), ranking(row, true)])"""
    found = run(script, rows=[[None if np.isnan(value) else value for value in row] for row in rows])
    for row, (up, down) in zip(rows, found, strict=True):
        places = np.arange(len(row))
        assert up == np.lexsort((places, row)).tolist()  # NumPy puts NaN last
        assert down == np.lexsort((places, -row)).tolist()


def test_half_of_the_activation_is_where_the_curve_crosses_a_half() -> None:
    rng = np.random.default_rng(0)
    curves = activation_curve(rng.gamma(0.3, size=(40, N_CASES)), points=41)
    halves = run("curves.map(halfway)", curves=curves.tolist())
    grid = np.linspace(0, 1, 41)
    assert np.allclose(halves, [np.interp(0.5, curve, grid) for curve in curves])
    assert run("halfway([0, 0.8, 1])") == pytest.approx(0.3125)


def test_numbers_in_words() -> None:
    script = """[
      percent(0), percent(0.0123), percent(0.126), percent(1), signed(0.12345), signed(-2), signed(0),
      metricText(NaN), metricText(1, true), metricText(0, true), metricText(0.12345, false),
      pixelName(0), pixelName(30), rangeText([-2, 0, 1.5]), placeOfLargest([1, 3, 3, 2]),
      extremes([0, -1, 2].concat(Array(781).fill(0))),
      curveText([0, 0, 0]), curveText([0, 0.5, 1]),
    ]"""
    assert run(script) == [
        *["0%", "1.2%", "13%", "100%", "+0.123", "−2", "0"],
        *["–", "yes", "no", "0.123"],
        *["row 1, column 1", "row 2, column 3", "−2 to +1.5", 1],
        "−1 at row 1, column 2 to +2 at row 1, column 3",
        "No test image activates it.",
        "Half of its activation comes from the strongest 50% of the inputs that activate it.",
    ]


def test_pixels_as_colors() -> None:
    gray, maps, empty = run("[[...grayPixels([0, 0.5, 1])], [...signedPixels([-1, 0, 4])], [...signedPixels([0, 0])]]")
    assert np.array_equal(np.reshape(gray, (3, 4)), [[0, 0, 0, 0], [0, 0, 0, 128], [0, 0, 0, 255]])
    assert np.reshape(maps, (3, 4))[:, 3].tolist() == [64, 0, 255]  # the opacity tells how much, the color which sign
    assert maps[0] < maps[2] and maps[8] > maps[10]
    assert empty[3::4] == [0, 0]


def test_a_stroke_covers_what_is_near_its_line() -> None:
    rng = np.random.default_rng(0)
    lines = rng.uniform(-2, 30, size=(N_CASES, 2, 2))  # from outside the pad, too
    lines[0, 1] = lines[0, 0]
    script = "lines.map(([a, b]) => { const p = new Float32Array(784); stroke(p, a, b); return [...p]; })"
    row, column = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    for (start, end), found in zip(lines, run(script, lines=lines.tolist()), strict=True):
        along = np.linspace(0, 1, 300)[:, None]
        dots = start + along * (end - start)
        distance = np.hypot(column[..., None] - dots[:, 0], row[..., None] - dots[:, 1]).min(axis=-1)
        ink = np.clip(PEN - distance, 0, 1).ravel()
        assert np.abs(np.array(found) - ink).max() < 0.07  # its dots are half a pixel apart


def test_ink_stays_where_it_is_drawn_over() -> None:
    once, twice = run(
        "[1, 2].map((n) => { const p = new Float32Array(784); while (n--) stamp(p, 9.5, 5.5); return [...p]; })"
    )
    assert once == twice
    image = np.reshape(once, (SIDE, SIDE))
    assert image[5, 9] == 1 and np.array_equal(image[5 - 2 : 5 + 3, 9 - 2 : 9 + 3], image[3:8, 7:12].T)
    assert np.count_nonzero(image) == 9


def test_centering_puts_the_center_of_mass_in_the_middle() -> None:
    rng = np.random.default_rng(0)
    images = np.zeros((N_CASES, SIDE, SIDE))
    for image in images:
        down, right = rng.integers(0, 20, size=2)
        image[down : down + 8, right : right + 8] = rng.random((8, 8))
    found = run("images.map((image) => centered(image))", images=images.reshape(-1, 784).tolist())
    grid = np.arange(SIDE) + 0.5
    for image, moved in zip(images, np.reshape(found, images.shape), strict=True):
        assert np.array_equal(np.sort(moved, axis=None), np.sort(image, axis=None))
        assert np.array_equal(moved[moved.any(1)][:, moved.any(0)], image[image.any(1)][:, image.any(0)])
        for axis in (0, 1):
            assert abs((moved.sum(axis) * grid).sum() / moved.sum() - SIDE / 2) <= 0.5 + 1e-9
    assert run("centered(Array(784).fill(0))") == [0] * 784
