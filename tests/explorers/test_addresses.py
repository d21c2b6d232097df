"""Addresses, links and files of the dendrogram, the latent and the Pareto explorer, several of them on one page."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from nbkit.explorers import DendrogramExplorer, ParetoExplorer
from nbkit.explorers.mount import mount_point, state_of, write_explorers
from nbkit.explorers.shared.bundle import module_text
from tests.browser.node import run_module
from tests.browser.page_checks import DENDROGRAM, LATENTS, PARETO
from tests.examples.latents import HOSTILE_NAME, example_models
from tests.examples.neuron import example_neuron
from tests.examples.sweep import example_sweep

MODELS = example_models()


def test_parts_of_an_address_leave_each_other_alone() -> None:
    values = {"t": "0.42", "sort": "a~b;c=d & ü", "empty": ""}
    script = module_text("shared/address-part.js") + (
        f"const values = {json.dumps(values)};"
        """
    const both = withPart(withPart("#a-section", "dendrogram", values), "latent", { unit: 3 });
    const parts = (address) => Object.fromEntries(addressParts(address));
    console.log(JSON.stringify([parts(both), parts(withPart(both, "dendrogram", {})), withPart("#x;y=1", "x", {}),
      parts("#L7N123&t=0.42"), parts(""), parts("#latent;unit=%~pareto;x=mse")]));"""
    )
    both, one, none, *foreign, cut_short = json.loads(run_module(script))
    assert both == {"dendrogram": values, "latent": {"unit": "3"}}
    assert one == {"latent": {"unit": "3"}}
    assert none == "#"
    assert cut_short == {"latent": {}, "pareto": {"x": "mse"}}
    assert foreign == [{}, {}]  # an atlas explorer's address, and none


def test_csv_holds_what_may_stand_in_a_cell() -> None:
    script = module_text("shared/hand-over.js") + (
        """console.log(JSON.stringify(csvText([["a", 'say "x", y', "b\\nc"], [1.5, null, NaN], [0, "", "é"]])));"""
    )
    read = pd.read_csv(io.StringIO(json.loads(run_module(script))))
    assert list(read.columns) == ["a", 'say "x", y', "b\nc"]
    assert read.iloc[0].isna().tolist() == [False, True, True]
    assert (read.iloc[1, 0], read.iloc[1, 2]) == (0, "é")


def test_files_name_single_precision_by_its_fewest_digits_and_keep_the_rest() -> None:
    singles = [np.float32(x) for x in (0.1, 0.42, 1 / 3, 16777217, 3.0517578e-05, 1.1754944e-38)]
    values = [*map(float, singles), 0.12191367996002778, 0.455, 2147483648.0, -1.5]
    script = module_text("shared/hand-over.js") + f"console.log(jsonText({json.dumps(values)}));"
    text = run_module(script)
    read = json.loads(text)
    assert [np.float32(x) for x in read[:6]] == singles
    assert read[6:] == values[6:]
    assert text.split()[1:5] == ["0.1,", "0.42,", "0.33333334,", "16777216,"]


@pytest.fixture(scope="module")
def page_of_four(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page with two dendrograms, the latents and a sweep."""
    folder = tmp_path_factory.mktemp("four")
    neurons = [DendrogramExplorer(example_neuron(60)), DendrogramExplorer(example_neuron(40, seed=3), 0.3)]
    shown = [*neurons, MODELS.explorer(), ParetoExplorer(example_sweep())]
    names = sorted({type(explorer).__name__ for explorer in shown})
    write_explorers(folder, names)
    head = "".join(
        f'<link rel="stylesheet" href="{name}.css"><script src="{name}.js" defer></script>' for name in names
    )
    body = "".join(mount_point(type(each).__name__, state_of(each), folder, "") for each in shown)
    page = f"<!doctype html><html lang=en><meta charset=utf-8><title>Four</title>{head}<body><h2 id=top>Four</h2>{body}"
    (folder / "page.html").write_text(page, encoding="utf-8")
    return (folder / "page.html").as_uri()


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1000, "height": 900})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(address)
    expect(page.locator(f"{PARETO} svg[role=group]")).to_be_visible()
    expect(page.locator(f"{LATENTS} .nk-row").first).to_be_attached()
    yield page
    assert not errors, errors
    context.close()


def expect_address(page: Page, end: str) -> None:
    page.wait_for_function("end => location.hash === end", arg=end)


def downloaded(view: Locator) -> str:
    with view.page.expect_download() as found:
        view.get_by_role("button", name="Download").click()
    return Path(found.value.path()).read_text(encoding="utf-8")


def test_each_explorer_has_its_part_of_the_address(browser: Browser, page_of_four: str) -> None:
    with opened(browser, f"{page_of_four}#top") as page:
        one, other = page.locator(DENDROGRAM).all()
        latents, sweep = page.locator(LATENTS), page.locator(PARETO)
        one.get_by_role("slider").press("ArrowUp")
        expect_address(page, "#dendrogram;t=0.51")
        other.get_by_role("slider").press("PageUp")
        other.locator(".nk-head").nth(1).click()
        expect_address(page, "#dendrogram;t=0.51~dendrogram2;t=0.4;c=2")
        one.get_by_role("slider").press("ArrowDown")  # as it was at first
        expect_address(page, "#dendrogram2;t=0.4;c=2")
        latents.get_by_label("Model").select_option(HOSTILE_NAME)
        latents.get_by_label("Sort by").select_option("mean distance")
        latents.get_by_role("button", name="Next").click()
        unit = latents.get_by_role("spinbutton", name="Latent").input_value()
        sweep.get_by_label("Across").select_option("mse")
        sweep.get_by_role("checkbox", name="ReLU").uncheck()
        sorted_by = f"latent;view=1;unit={unit};sort=mean%20distance;order=down"
        expect_address(page, f"#dendrogram2;t=0.4;c=2~{sorted_by}~pareto;x=mse;activations=topk")

        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        latents.get_by_role("button", name="Copy link").click()
        expect(latents.get_by_text("Copied.")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == f"{page_of_four}#{sorted_by}"  # of this one alone
        address = page.url

    with opened(browser, address) as page:
        one, other = page.locator(DENDROGRAM).all()
        expect(one.get_by_role("slider")).to_have_attribute("aria-valuenow", "0.5")
        expect(other.get_by_role("slider")).to_have_attribute("aria-valuenow", "0.4")
        expect(other.locator(".nk-head").nth(1)).to_have_attribute("aria-pressed", "true")
        latents = page.locator(LATENTS)
        expect(latents.locator(".nk-unit > .nk-title")).to_have_text(f"{HOSTILE_NAME}, latent {unit}")
        expect(latents.locator(".nk-tools .nk-status")).to_contain_text("by mean distance, largest first")
        expect(page.locator(f"{PARETO} svg[role=group]")).to_have_attribute("aria-label", "mean distance against MSE")
        expect(page.get_by_role("checkbox", name="ReLU")).not_to_be_checked()
        page.evaluate("location.hash = '#latent;view=9;unit=x'")  # there is no such view
        expect(other.get_by_role("slider")).to_have_attribute("aria-valuenow", "0.3")
        expect(latents.locator(".nk-unit > .nk-title")).to_have_text(f"{HOSTILE_NAME}, latent {unit}")


def test_what_is_shown_can_be_downloaded(browser: Browser, page_of_four: str) -> None:
    with opened(browser, page_of_four) as page:
        one = page.locator(DENDROGRAM).first
        one.get_by_role("slider").press("PageUp")
        found = json.loads(downloaded(one))
        neuron = example_neuron(60)
        assert (found["title"], found["threshold"]) == ("Layer 7, neuron 123", 0.6)
        assert [each["cluster"] - 1 for each in found["examples"]] == neuron.clusters(0.6).labels.tolist()
        assert [each["tokens"] for each in found["examples"]] == [list(s.tokens) for s in neuron.snippets]
        assert found["tree"]["heights"] == neuron.clusters().linkage[:, 2].tolist()

        latents = page.locator(LATENTS)
        latents.get_by_label("Model").select_option(HOSTILE_NAME)
        read = pd.read_csv(io.StringIO(downloaded(latents)))
        metrics = MODELS.views[1].metrics
        assert read["latent"].tolist() == list(range(len(metrics)))
        assert np.allclose(read["mean distance"], metrics["mean_distance"].astype(np.float32), equal_nan=True)

        sweep = pd.read_csv(io.StringIO(downloaded(page.locator(PARETO))))
        table = example_sweep()
        assert len(sweep) == len(table)
        cells = ["activation", "ne", "sparsity"]
        merged = sweep.merge(table, on=[*cells, "seed"], suffixes=("", "_given"))
        assert len(merged) == len(table) and np.allclose(merged["mse"], merged["mse_given"], rtol=1e-3)


def test_the_selected_latent_stays_in_sight_when_sorted(browser: Browser, page_of_four: str) -> None:
    with opened(browser, page_of_four) as page:
        latents = page.locator(LATENTS)
        latents.locator(".nk-list").evaluate("e => { e.style.cssText = 'height: 5rem; min-height: 0'; }")
        for by in ("mean distance", "number", "activating images"):
            latents.get_by_label("Sort by").select_option(by)
            for _ in range(2):
                latents.get_by_role("button", name="turn the order around").click()
                seen = latents.evaluate(
                    "e => { const [row, list] = ['.nk-row[aria-selected=true]', '.nk-list']"
                    ".map((part) => e.querySelector(part).getBoundingClientRect());"
                    "return row.top >= list.top - 1 && row.bottom <= list.bottom + 1; }"
                )
                assert seen, by
