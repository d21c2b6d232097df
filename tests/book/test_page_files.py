"""What outputs carry in themselves comes out of the pages, byte for byte."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pandas as pd

from nbkit.book.page_files import without_carried
from nbkit.figures.data_link import data_link


def test_data_and_pictures_become_files(tmp_path: Path) -> None:
    picture = b"\x89PNG and so on"
    tables = [pd.DataFrame({"a": [number, 2]}) for number in (1, 3, 5)]
    body = f'<p>data:text/csv</p><img alt="x" src="data:image/png;base64,{b64encode(picture).decode()}">'
    body += (
        data_link({"": tables[0]}, "layers") + data_link({"": tables[1]}, "layers") + data_link({"": tables[2]}, "b")
    )
    page = without_carried(body, "whole-model", tmp_path, root="../")
    assert "base64" not in page and page.startswith('<p>data:text/csv</p><img alt="x" src="../_images/')
    written = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.*")}
    [image] = [name for name in written if name.startswith("_images/")]
    assert f'src="../{image}"' in page and written[image] == picture
    for name, first in {"layers": 1, "layers-2": 3, "b": 5}.items():
        assert written[f"_data/whole-model/{name}.csv"] == f"a\n{first}\n2\n".encode()
        assert f'download="whole-model-{name}.csv" href="../_data/whole-model/{name}.csv"' in page


def test_a_page_without_them_stays_as_it_is(tmp_path: Path) -> None:
    body = '<a href="data:text/html;base64,AAAA">x</a><img src="a.png">'
    assert without_carried(body, "page", tmp_path) == body
    assert list(tmp_path.iterdir()) == []
