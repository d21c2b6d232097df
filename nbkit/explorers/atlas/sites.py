"""Where an atlas's units are, as the explorer is told."""

from __future__ import annotations

from typing import Any

from nbkit.atlas.manifest import Manifest


def sites_of(manifest: Manifest) -> list[dict[str, Any]]:
    """What sites.js knows of the sites."""
    return [
        {
            "number": site.number,
            "size": site.n_units,
            "label": site.label,
            "title": site.title,
            "unit": site.unit,
            "mark": site.named(0).removeprefix(f"{site.label} ").removesuffix("0"),
        }
        for site in manifest.sites
    ]
