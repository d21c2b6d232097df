"""How units of any kind are numbered and named in the browser, at sites of any size; run under Node.js."""

from __future__ import annotations

from typing import Any

import pytest

from nbkit.models.site import Site
from tests.explorers.test_atlas_js import evaluate

SIZES = (3, 1, 5)


def sites_of(*units: str, numbers: tuple[int, ...] = (0, 1, 2), sizes: tuple[int, ...] = SIZES) -> list[dict[str, Any]]:
    """Sites as an overview has them."""
    found = []
    for unit, number, size in zip(units, numbers, sizes, strict=True):
        site = Site(number, f"blocks.{number}.hook_resid_post", unit, size, 8, False, "linear", "activations")
        mark = "N" if unit == "neuron" else "#"
        assert site.named(7) == f"{site.label} {mark}7"
        about = {"number": number, "size": size, "label": site.label, "title": site.title, "unit": unit, "mark": mark}
        found.append(about)
    return found


def ask(sites: list[dict[str, Any]], script: str) -> Any:
    """What a script makes of an `overview` of such sites."""
    return evaluate(
        "atlas/overview.js",
        f"const overview = new Overview({{ json: {{ metrics: [], sites: data }} }}); {script}",
        sites,
    )


UNITS = {
    "neurons": ("neuron",) * 3,
    "latents": ("latent",) * 3,
    "both": ("neuron", "latent", "latent"),
}


@pytest.mark.parametrize("units", UNITS.values(), ids=UNITS)
@pytest.mark.parametrize("numbers", [(0, 1, 2), (3, 7, 11)])
def test_a_row_is_a_unit_of_a_site_and_back(units: tuple[str, ...], numbers: tuple[int, ...]) -> None:
    sites = sites_of(*units, numbers=numbers)
    script = """
        const rows = Array.from({ length: overview.n }, (_, row) => row);
        const back = rows.map((row) => overview.row(overview.layer(row), overview.index(row)));
        return rows.map((row) => [overview.layer(row), overview.index(row), overview.places[row], back[row]]);
    """
    exact = [(number, index, place) for place, number in enumerate(numbers) for index in range(SIZES[place])]
    assert ask(sites, script) == [[*unit, row] for row, unit in enumerate(exact)]


def test_a_unit_that_is_not_there_has_no_row() -> None:
    pairs = [(0, 3), (1, 1), (2, 5), (0, -1), (3, 0), (-1, -1), (1, 2)]
    script = f"return {[list(pair) for pair in pairs]}.map(([a, b]) => overview.row(a, b) ?? null);"
    assert ask(sites_of(*UNITS["latents"]), script) == [None] * len(pairs)


def test_units_are_named_by_their_kind() -> None:
    script = """
        const { unit, units, site, reads } = overview.words;
        const names = [0, 3, 8].map((row) => [overview.name(row), overview.title(row), overview.inAddress(row)]);
        return [[unit, units, site, reads], names];
    """
    words, names = ask(sites_of(*UNITS["neurons"]), script)
    assert words == ["neuron", "neurons", "layer", "pre-MLP vector"]
    assert names[1:] == [["L1 N0", "Layer 1, neuron 0", "L1N0"], ["L2 N4", "Layer 2, neuron 4", "L2N4"]]
    words, names = ask(sites_of(*UNITS["latents"]), script)
    assert words == ["latent", "latents", "site", "the vector that it reads"]
    assert names[0] == ["S0 #0", "S0 (blocks.0.hook_resid_post), latent 0", "L0N0"]
    assert names[2] == ["S2 #4", "S2 (blocks.2.hook_resid_post), latent 4", "L2N4"]
    words, names = ask(sites_of(*UNITS["both"]), script)
    assert words == ["unit", "units", "site", "the vector that it reads"]
    assert [name for name, *_ in names] == ["L0 N0", "S1 #0", "S2 #4"]


def test_an_example_of_a_name_is_one_of_the_kind() -> None:
    found = [ask(sites_of(*units), "return overview.words.example;") for units in UNITS.values()]
    assert found == ["L7 N123", "S0 #123", "L7 N123"]


@pytest.mark.parametrize(
    ("units", "numbers", "sizes", "asked", "sentence"),
    [
        ("neurons", (0, 1, 2), (40,) * 3, (9, 3), "L9 N3: it holds layers 0 to 2, neurons 0 to 39"),
        ("neurons", (0, 1, 2), (40,) * 3, (0, 40), "L0 N40: it holds layers 0 to 2, neurons 0 to 39"),
        ("neurons", (0, 2, 4), (40,) * 3, (1, 3), "L1 N3: it holds layers 0, 2, 4, neurons 0 to 39"),
        ("neurons", (0, 1, 2), SIZES, (1, 1), "L1 N1: it holds layers 0 to 2, of layer 1 neurons 0 to 0"),
        ("latents", (0, 1, 2), SIZES, (9, 3), "S9 #3: it holds sites S0 to S2"),
        (
            *("latents", (0, 1, 2), SIZES, (2, 5)),
            "S2 #5: it holds sites S0 to S2, of S2 (blocks.2.hook_resid_post) latents 0 to 4",
        ),
        ("both", (0, 1, 2), SIZES, (0, 3), "L0 N3: it holds sites L0 to S2, of layer 0 neurons 0 to 2"),
    ],
)
def test_what_is_not_there_is_told(
    units: str, numbers: tuple[int, ...], sizes: tuple[int, ...], asked: tuple[int, int], sentence: str
) -> None:
    found = ask(sites_of(*UNITS[units], numbers=numbers, sizes=sizes), f"return overview.missing{asked};")
    assert found == f"There is no {sentence.replace(':', ' in this atlas:', 1)}."


def test_a_unit_is_told_how_often_examples_on_one_word_fall_apart_as_it_does() -> None:
    values = {"n_examples": [9, 10, 25, 60, 60, 60, 60], "n_clusters": [3, 3, 2, 1, 3, 4, 0xFFFF]}
    script = """
        const metrics = Object.keys(data.values).map((name) => ({ name, label: name, scale: 1, shift: 0 }));
        const sent = Object.entries(data.values).map(([name, each]) => [name, Uint16Array.from(each)]);
        const arrays = Object.fromEntries(sent);
        const made = (splits) => new Overview({ ...arrays, json: { metrics, sites: data.sites, splits } });
        const rows = data.values.n_examples.map((_, row) => row);
        return [rows.map((row) => made(data.splits).oneWord(row)), rows.map((row) => made(undefined).oneWord(row))];
    """
    splits = [[10, 54, [0.2, 0.05]], [20, 31, [0.1]], [50, 22, [0.3, 0.04]]]
    told, untold = evaluate(
        "atlas/overview.js",
        script,
        {"values": values, "sites": sites_of("neuron", "neuron", "neuron"), "splits": splits},
    )
    expected = [
        None,  # too few examples
        {"examples": 10, "sets": 54, "clusters": 3, "share": 0.05},
        {"examples": 20, "sets": 31, "clusters": 2, "share": 0.1},
        None,  # one cluster
        {"examples": 50, "sets": 22, "clusters": 3, "share": 0.04},
        {"examples": 50, "sets": 22, "clusters": 4, "share": 0},
        None,  # no clusters
    ]
    assert told == expected
    assert untold == [None] * len(expected)
