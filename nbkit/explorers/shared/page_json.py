"""Values as JSON that no page can be broken by."""

import json
from typing import Any


def page_json(values: Any) -> str:
    """JSON in ASCII without `<`: whatever a token is, no program that puts the text into a page takes it for markup.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(values, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
