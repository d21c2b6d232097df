"""Explorers on pages without a kernel: the model of a page, the state that is written, and what is left to widgets."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.book.mounted import STATES, VIEW, mount_explorers
from nbkit.explorers import AtlasExplorer, DendrogramExplorer
from nbkit.explorers.mount import EXPLORERS, INLINE, mount_point, page_values, state_of, write_explorers
from nbkit.explorers.shared.bundle import module_text
from tests.browser.node import run_module
from tests.browser.published_text import published_text
from tests.examples.latents import example_models
from tests.examples.neuron import HOSTILE, example_neuron

LATENTS = example_models().explorer()


def notebook_of(explorer: Any, *others: dict[str, Any]) -> dict[str, Any]:
    """An executed notebook with one explorer, as it is saved, and the states of other widgets."""
    state = explorer.get_state()
    packed = [name for name, value in state.items() if isinstance(value, bytes)]
    buffers = [
        {"encoding": "base64", "path": [name], "data": base64.b64encode(state.pop(name)).decode()} for name in packed
    ]
    widgets = {
        "ours": {"model_name": "AnyModel", "state": state | {"layout": "IPY_MODEL_layout"}, "buffers": buffers},
        "layout": {"model_name": "LayoutModel", "state": {"_view_name": "LayoutView"}},
    } | {f"other-{i}": other for i, other in enumerate(others)}
    output = {"output_type": "execute_result", "data": {VIEW: {"model_id": "ours"}, "text/plain": "an explorer"}}
    return {
        "metadata": {"widgets": {STATES: {"state": widgets}}},
        "cells": [{"outputs": [output]}, {"source": "# Text"}],
    }


def html_of(notebook: dict[str, Any]) -> str:
    data = notebook["cells"][0]["outputs"][0]["data"]
    assert VIEW not in data and data["text/plain"] == "an explorer"
    return str(data["text/html"])


def test_a_page_model_tells_who_follows_it() -> None:
    said = run_module(
        module_text("shared/mount.js")
        + """
const model = new PageModel({ x: 1, y: 2 });
const heard = [];
const follow = () => heard.push([model.get("x"), model.get("y")]);
model.on("change:x change:y", follow);
model.set("x", 3);
model.set("x", 3);
model.set("y", 4);
model.save_changes();
model.off("change:x", follow);
model.set("x", 5);
model.set("y", 6);
model.off("change:nothing", follow);
console.log(JSON.stringify(heard));
"""
    )
    assert json.loads(said) == [[3, 2], [3, 4], [5, 6]]


def test_the_state_of_a_notebook_comes_onto_the_page_and_what_is_large_into_a_file(tmp_path: Path) -> None:
    notebook = notebook_of(LATENTS)
    assert mount_explorers(notebook, tmp_path, "there/")
    html = html_of(notebook)
    [file] = tmp_path.iterdir()
    assert 'data-explorer="LatentExplorer"' in html
    state = json.loads(html.split('json">')[1].split("</script>")[0])
    assert state.pop("file") == f"there/{file.name}"
    assert {"view": LATENTS.view, "unit": LATENTS.unit}.items() <= state.items()
    assert set(state) < page_values("LatentExplorer") and "packed" not in state
    assert any(LATENTS.packed in content for _, content in published_text(tmp_path))
    assert "widgets" not in notebook["metadata"]
    mount_point("LatentExplorer", state_of(LATENTS), tmp_path, "")
    assert list(tmp_path.iterdir()) == [file]  # the live explorer has the values of the saved one


def test_hostile_text_opens_no_element(tmp_path: Path) -> None:
    explorer = DendrogramExplorer(example_neuron(12, words=HOSTILE))
    assert len(explorer.data) < INLINE
    html = mount_point("DendrogramExplorer", state_of(explorer), tmp_path, "")
    assert html.count("<") == 6 and html.isascii()
    assert json.loads(html.split('json">')[1].split("</script>")[0])["data"] == explorer.data


def test_a_page_without_a_kernel_is_not_told_of_one(tiny_atlas: Callable[[str], Atlas], tmp_path: Path) -> None:
    explorer = AtlasExplorer(tiny_atlas("llama"))
    assert explorer.live and set(state_of(explorer)) == {"site", "layer", "neuron", "threshold"}
    told = mount_point("AtlasExplorer", explorer.get_state(), tmp_path, "")
    assert "live" not in told and "_esm" not in told


@pytest.mark.parametrize("reference", [["IPY_MODEL_ours", "unit"], "IPY_MODEL_ours"])
def test_an_explorer_that_is_linked_to_a_widget_stays_one(reference: Any, tmp_path: Path) -> None:
    link = {"model_name": "LinkModel", "state": {"_view_name": None, "source": reference}}
    notebook = notebook_of(LATENTS, link)
    before = copy.deepcopy(notebook)
    assert not mount_explorers(notebook, tmp_path, "")
    assert notebook == before


def test_other_widgets_keep_their_manager(tmp_path: Path) -> None:
    slider = {"model_name": "IntSliderModel", "state": {"_view_name": "IntSliderView", "value": 3}}
    foreign = {"model_name": "AnyModel", "state": {"_anywidget_id": "theirs.LatentExplorer", "_view_name": "AnyView"}}
    notebook = notebook_of(LATENTS, slider, foreign)
    assert mount_explorers(notebook, tmp_path, "")
    html_of(notebook)
    assert set(notebook["metadata"]["widgets"][STATES]["state"]) == {"layout", "other-0", "other-1"}


def test_a_notebook_without_widgets_is_left_alone(tmp_path: Path) -> None:
    notebook: dict[str, Any] = {"metadata": {}, "cells": [{"outputs": [{"output_type": "stream", "text": "said"}]}]}
    assert not mount_explorers(notebook, tmp_path, "")


def test_the_files_of_an_explorer_have_its_name(tmp_path: Path) -> None:
    write_explorers(tmp_path / "new", ["ParetoExplorer"])
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        f"ParetoExplorer.{end}" for end in ("js", "mjs", "css")
    }
    write_explorers(tmp_path)
    for name in EXPLORERS:
        run_module("const document = { querySelectorAll: () => [] };" + (tmp_path / f"{name}.js").read_text("utf-8"))
