"""The basis explorer: one unit's examples in several spaces, while the dictionary behind them gets better."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets
from jaxtyping import Int

from nbkit.errors import NbkitError
from nbkit.explorers.shared.bundle import module_text, style_text
from nbkit.explorers.shared.packing import pack
from nbkit.explorers.shared.page_json import page_json

STAGE_COLUMNS = ("space", "epochs", "unexplained", "auc", "ari", "clusters", "distances")
DISTANCE_STEPS = 255
"""A distance is sent as a whole number of steps to 1; what is farther apart is shown as 1."""
SENT_DECIMALS = 4
"""Decimals that are sent of all other numbers."""


class BasisExplorer(anywidget.AnyWidget):
    """The distances of a unit's examples, ordered by their true behaviors, in a space that the reader chooses.

    `stage` says how long the dictionary was trained, by its place among the stages, and `space` names the space. They
    can be read, set and linked from Python, and follow the reader in JupyterLab.
    """

    _esm = module_text("basis/basis.js")
    _css = style_text("shared/explorer.css", "basis/basis.css")

    about = traitlets.Unicode().tag(sync=True)
    """Spaces, stages and their numbers, and where the distances lie in `packed`, as JSON (see `basis_data`)."""
    packed = traitlets.Bytes().tag(sync=True)
    """The distances (see `nbkit.explorers.shared.packing`)."""
    stage = traitlets.Int(0).tag(sync=True)
    space = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        table: pd.DataFrame,
        labels: Int[np.ndarray, " n"],
        name: str = "the unit",
        stage: int | None = None,
        space: str | None = None,
    ) -> None:
        """Show a unit.

        Args:
            table: one row a space and stage: `space`; `epochs` and `unexplained` of the dictionary (NaN where a space
                has none, and then one row); `auc`, `ari` and `clusters`; `distances`, of all pairs i < j, row by row.
            labels: the behavior of each example, those of one behavior one after the other.
            name: of the unit.
            stage: the one to begin with; None for the last.
            space: the one to begin with; None for the last.

        Raises:
            NbkitError: the table lacks a column, a space or a stage; lengths differ; or examples are not in order.
        """
        about, distances = basis_data(table, labels, name)
        self._spaces = [each["name"] for each in about["spaces"]]
        self._n_stages = len(about["stages"])
        layout, packed = pack({"distances": distances})
        super().__init__(
            about=page_json(about | {"layout": layout}),
            packed=packed,
            stage=self._n_stages - 1 if stage is None else stage,
            space=self._spaces[-1] if space is None else space,
        )

    @traitlets.validate("stage")
    def _check_stage(self, proposal: dict[str, Any]) -> int:
        stage = int(proposal["value"])
        if not 0 <= stage < self._n_stages:
            raise NbkitError(f"There is no stage {stage}: choose from 0 to {self._n_stages - 1}.")
        return stage

    @traitlets.validate("space")
    def _check_space(self, proposal: dict[str, Any]) -> str:
        space = str(proposal["value"])
        if space not in self._spaces:
            raise NbkitError(f"There is no space {space!r} to show: choose one of {', '.join(self._spaces)}.")
        return space


def basis_data(
    table: pd.DataFrame, labels: Int[np.ndarray, " n"], name: str = "the unit"
) -> tuple[dict[str, Any], np.ndarray]:
    """What `basis.js` draws: names and numbers, and distances (rows, pairs) in steps of 1/255.

    Each space has for each stage the row of its numbers and distances; one without a dictionary has one for all.

    Raises:
        NbkitError: see `BasisExplorer`.
    """
    if missing := [column for column in STAGE_COLUMNS if column not in table.columns]:
        raise NbkitError(f"The table lacks the columns {', '.join(missing)}.")
    labels = np.asarray(labels)
    sizes = [len(list(run)) for _, run in groupby(labels.tolist())]
    if len(sizes) < 2 or len(sizes) != len(np.unique(labels)):
        raise NbkitError("The examples must be of two behaviors at least, those of one behavior one after the other.")
    n_pairs = len(labels) * (len(labels) - 1) // 2
    if any(len(distances) != n_pairs for distances in table["distances"]):
        raise NbkitError(f"A row has another number of distances than {len(labels)} examples have pairs, {n_pairs:,}.")
    rows = table.reset_index(drop=True)
    trained = rows[rows["unexplained"].notna()]
    stages = trained.drop_duplicates("epochs").sort_values("epochs")
    if stages.empty:
        raise NbkitError("No row has a dictionary: `unexplained` is NaN throughout.")
    spaces = []
    for space, mine in rows.groupby("space", sort=False):
        by_stage = dict(zip(mine["epochs"].astype(int).tolist(), mine.index.tolist(), strict=True))
        learned = bool(mine["unexplained"].notna().all())
        wanted = [int(epochs) for epochs in stages["epochs"]] if learned else [int(mine["epochs"].iloc[0])]
        if len(mine) != len(wanted) or set(by_stage) != set(wanted):
            raise NbkitError(f"The space {space!r} has other stages than the others: give each one row a stage.")
        spaces.append({"name": str(space), "learned": learned, "rows": [by_stage[epochs] for epochs in wanted]})
    numbers = rows[["auc", "ari", "clusters"]].astype(float).round(SENT_DECIMALS).to_numpy().tolist()
    about = {
        "name": name,
        "sizes": sizes,
        "spaces": spaces,
        "stages": stages[["epochs", "unexplained"]].astype(float).round(SENT_DECIMALS).to_numpy().tolist(),
        "numbers": numbers,
    }
    distances = np.stack([np.asarray(each, dtype=np.float64) for each in rows["distances"]])
    return about, np.rint(np.clip(distances, 0, 1) * DISTANCE_STEPS).astype(np.uint8)
