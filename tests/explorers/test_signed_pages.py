"""The explorer of gated neurons on both sides of zero, and below it, in a browser: colors, words, order, quadrants."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.neuron import Neuron
from nbkit.models.sign import Sign
from tests.browser import page_checks as checks
from tests.examples.explorer_page import write_page

COLORS = {
    "light": {"cold": (143, 189, 242), "heat": (255, 181, 77)},
    "dark": {"cold": (29, 92, 156), "heat": (148, 84, 0)},
}
GROUND = """e => {
  const paper = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  paper.fillStyle = getComputedStyle(e).backgroundColor;
  paper.fillRect(0, 0, 1, 1);
  return [...paper.getImageData(0, 0, 1, 1).data];
}"""


@pytest.fixture(scope="module", params=["both", "negative"])
def sign(request: pytest.FixtureRequest) -> Sign:
    """Which activations the atlas is of."""
    found: Sign = request.param
    return found


@pytest.fixture(scope="module")
def atlas(sign: Sign, signed_atlas: Callable[[str, Sign], Atlas]) -> Atlas:
    """An atlas of gated neurons."""
    return signed_atlas("llama", sign)


@pytest.fixture(scope="module")
def base(atlas: Atlas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page with the explorer of the atlas, as a file."""
    folder = write_page(atlas, tmp_path_factory.mktemp("page"))
    with checks.reached(folder, "file") as address:
        yield address


def two_sided(atlas: Atlas) -> Neuron:
    """The neuron with the most examples on its rarer side of zero; of an atlas of one side, that with the most."""
    neurons = [neuron for layer in atlas.layers for neuron in atlas.iterate(layer)]
    return max(neurons, key=lambda n: (min((n.peak < 0).sum(), (n.peak > 0).sum()), len(n)))


@contextmanager
def opened(
    browser: Browser, base: str, neuron: Neuron, scheme: Literal["light", "dark"] = "light"
) -> Iterator[Locator]:
    """The explorer at a neuron; nothing goes wrong on the page."""
    with checks.visit(browser, base, f"page.html#L{neuron.layer}N{neuron.index}", scheme=scheme) as seen:
        view = seen.page.locator(checks.ATLAS)
        expect(view.locator(".nk-neuron .nk-title")).to_have_text(f"Layer {neuron.layer}, neuron {neuron.index}")
        yield view
        checks.check_needs_no_network(seen)


def value_in(text: str) -> float:
    """The number in a text."""
    found = re.search(r"−?[\d.]+(?:e−?\d+)?", text)
    assert found, text
    return float(found[0].replace("−", "-"))


def shares(names: np.ndarray) -> str:
    """Quadrants as the explorer tells them."""
    found = {name: (names == name).mean() for name in sorted(set(names))}
    ordered = sorted(found.items(), key=lambda item: -item[1])
    return ", ".join(f"{name.replace('-', '−')} {share:.0%}" for name, share in ordered)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_token_below_zero_is_blue_and_one_above_orange(
    browser: Browser, base: str, atlas: Atlas, sign: Sign, scheme: Literal["light", "dark"], axe: Path
) -> None:
    neuron = two_sided(atlas)
    with opened(browser, base, neuron, scheme) as view:
        keys = view.locator(".nk-card li .nk-key")
        peaks = {round(abs(float(peak)), 6): float(peak) for peak in neuron.peak}
        sides = set()
        for key in keys.all():
            value = value_in(key.get_attribute("title") or "")
            assert min(abs(value - peak) for peak in peaks.values()) <= 0.006 * abs(value)
            *color, alpha = key.evaluate(GROUND)
            expected = COLORS[scheme]["cold" if value < 0 else "heat"]
            assert np.allclose(color, expected, atol=3)
            assert alpha / 255 == pytest.approx(abs(value) / neuron.max_activation, abs=0.02)
            sides.add(value < 0)
        assert sides == ({True, False} if sign == "both" else {True})
        largest = f"{neuron.max_activation:.3g}"
        legend = view.locator(".nk-legend").inner_text()
        start = f"activation −{largest}" if sign == "both" else "activation 0"
        assert legend.startswith(start) and (largest if sign == "both" else f"−{largest}") in legend
        above = view.locator(".nk-card li .nk-token[title^='activation ']:not([title*='−'])")
        colored = above.evaluate_all(
            "all => all.filter((e) => parseInt(e.style.getPropertyValue('--share')) > 0).length"
        )
        assert (colored > 0) == (sign == "both"), "what does not count has no color"
        checks.check_accessible(view.page, axe, rules=checks.RULES_OF_COLOR)


def test_it_says_what_is_looked_for_and_measures_strengths(
    browser: Browser, base: str, atlas: Atlas, sign: Sign
) -> None:
    neuron = two_sided(atlas)
    with opened(browser, base, neuron) as view:
        sought = "on both sides of zero" if sign == "both" else "Looked at below zero: its examples are where"
        expect(view.locator(".nk-neuron")).to_contain_text(sought)
        name = "farthest from zero" if sign == "both" else "farthest below zero"
        tile = view.locator(".nk-tiles > div").filter(has=view.page.get_by_text(name, exact=True))
        assert value_in(tile.locator("dd").inner_text()) == pytest.approx(neuron.max_activation, rel=0.01)
        kind = "activation farthest from zero" if sign == "both" else "lowest activation"
        bars = view.get_by_role("list", name=f"Contexts by their {kind}").get_by_role("listitem")
        texts = bars.all_text_contents()
        levels = sorted(neuron.levels, key=lambda level: level.low)
        mark = "±" if sign == "both" else "−"
        assert [text.split(" to ")[0] for text in texts] == [f"{mark}{level.low:.3g}" for level in levels]
        assert [value_in(text.split(": ")[1]) for text in texts] == [level.count for level in levels]

        view.locator(".nk-strongest summary").click()
        told = [
            value_in(text.split("activation ")[1])
            for text in view.locator(".nk-strongest li .nk-about").all_inner_texts()
        ]
        assert told == pytest.approx(neuron.strongest.peak, rel=0.006)
        assert sorted(map(abs, told), reverse=True) == [abs(value) for value in told]

        view.get_by_label("Sort by").select_option("max_activation")
        expect(view.get_by_label("Sort by").locator("option:checked")).to_have_text(name)
        listed = atlas.neurons.query("n_examples >= 10").nlargest(1, "max_activation").iloc[0]
        first = view.locator(".nk-row[data-place='0']")
        expect(first.locator(".nk-row-name")).to_have_text(f"L{listed['layer']:.0f} N{listed['index']:.0f}")
        said = value_in(first.locator(".nk-value").inner_text())
        assert said == pytest.approx(listed["max_activation"], rel=0.01)
        view.get_by_text("Tokens it promotes above zero").wait_for()


def test_quadrants_are_told_where_a_cluster_has_others_than_the_rest(
    browser: Browser, base: str, atlas: Atlas, sign: Sign, tmp_path: Path
) -> None:
    neuron = two_sided(atlas)
    names, clusters = neuron.quadrants, neuron.clusters()
    usual = max(sorted(set(names)), key=lambda name: (names == name).sum())
    with opened(browser, base, neuron) as view:
        expect(view.locator(".nk-neuron > .nk-quadrants")).to_have_text(
            f"Sides of zero of its gate and up branch: {shares(names)} of its examples."
        )
        n_told = 0
        for label, card in enumerate(view.locator(".nk-card").all()):
            own = names[clusters.labels == label]
            if (own == usual).all():
                expect(card.locator(".nk-quadrants")).to_have_count(0)
            else:
                expect(card.locator(".nk-quadrants")).to_have_text(shares(own))
                n_told += 1
        assert (n_told > 0) == (len(set(names)) > 1) == (sign == "both")
        view.locator(".nk-card li").first.hover()
        medoid = names[clusters.medoids[0]].replace("-", "−")
        expect(view.locator(".nk-peek .nk-about")).to_contain_text(f", {medoid}")

        view.locator(".nk-share summary").click()
        with view.page.expect_download() as started:
            view.get_by_role("button", name="Download JSON").click()
        started.value.save_as(tmp_path / "neuron.json")
        kept: dict[str, Any] = json.loads((tmp_path / "neuron.json").read_text(encoding="utf-8"))
        assert kept["sign"] == sign
        assert [example["quadrant"] for example in kept["examples"]] == names.tolist()
        peaks = [example["activations"][example["key"]] for example in kept["examples"]]
        assert peaks == pytest.approx(neuron.peak, rel=1e-6)
