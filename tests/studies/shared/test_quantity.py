"""Numbers that several pages give: how they are written, and what a page is read back as."""

from __future__ import annotations

import numpy as np
import pytest

from nbkit.studies.shared.estimate import Difference, Estimate, Spread
from nbkit.studies.shared.quantity import Quantity


@pytest.mark.parametrize(
    ("value", "spec", "whole", "text"),
    [
        (0.19625, ".1%", "0.19625", "19.6%"),
        (np.float64(0.1), ".2f", "0.1", "0.10"),
        (10676, ",", "10676", "10,676"),
        (Estimate(22.94, 21.63, 24.08), ".1f%", "22.94", "22.9% (21.6 to 24.1)"),
        (Difference(0.0123, 0.01, 0.014), ".3f", "0.0123", "higher by 0.012 (95% interval +0.010 to +0.014) than"),
        (Spread(4.14, 0.5), ".1f", "4.14", "4.1 ± 0.5"),
    ],
)
def test_a_quantity_is_written_with_its_name_and_whole_value(value: object, spec: str, whole: str, text: str) -> None:
    assert f"{Quantity('n', value):{spec}}" == f'<data data-quantity="n" value="{whole}">{text}</data>'


def test_names_and_texts_are_no_markup() -> None:
    assert str(Quantity('<"&', "<b>")) == ('<data data-quantity="&lt;&quot;&amp;" value="&lt;b&gt;">&lt;b&gt;</data>')
