"""A number before and after: as words, and as a multiple."""

from __future__ import annotations

import pytest

from nbkit.studies.shared.change import Change


def test_a_change_in_words() -> None:
    assert f"{Change(17.44, 3.6):.1f}" == "from 17.4 to 3.6"
    assert f"{Change(0.25, 0.2):.3f}" == "from 0.250 to 0.200"


def test_a_change_as_a_multiple() -> None:
    assert Change(0.25, 0.2).times == pytest.approx(0.8)
