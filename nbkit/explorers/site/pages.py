"""The pages of a site, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import version

from nbkit.atlas.made_from import made_from
from nbkit.atlas.manifest import Manifest
from nbkit.models.sign import Sign
from nbkit.models.site import CENTERED

HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="generator" content="nbkit {version}">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="site.css">
"""
EXPLORER_TAGS = """\
<link rel="stylesheet" href="AtlasExplorer.css">
<script src="site.js"></script>
<script src="AtlasExplorer.js" defer></script>
</head>
<body>
<header>
<h1>{title}</h1>
<p>{n_units:,} {unit}s of {sites}, each with its dataset examples in feature clusters.
<a href="neurons.csv" download>All metrics (CSV)</a>{other}</p>
<button type="button" class="theme">Theme</button>
</header>
<main>
{place}
</main>
<footer>
<details>
<summary>What made this</summary>
<dl>
{about}
</dl>
</details>
<p>A {unit}'s <em>dataset examples</em> are the {inputs} that activate it{side} to at least {threshold:.0%} of
{maximum}. {clustered} Made with nbkit {version}.</p>
</footer>
</body>
</html>
"""
BELOW_OR_ABOVE: dict[Sign, str] = {"positive": "", "negative": " below zero", "both": ", above zero or below,"}
MAXIMUM_OF_A_CARD: dict[Sign, str] = {
    "positive": "its maximum",
    "negative": "its lowest activation",
    "both": "its activation farthest from zero",
}
FOOTE = '<a href="https://arxiv.org/abs/2411.08166">Foote 2024</a>'
WEIGHED = (
    "Its <em>neuron embeddings</em>, what it reads times its input weights, cluster them by what the {unit} answers to "
    f"({FOOTE})."
)
CENTERED_TEXT = (
    "What it reads there, minus the mean of what all read, clusters them: those of a cluster are nearer to each other "
    "than any two, on average and by a standard deviation at least. Neuron embeddings "
    f"({FOOTE}) give another view of the same atlas."
)
OTHER_LINK = ' · <a class="other" href="{address}"{same}>{words}</a>'
PAIR = """\
<script src="site.js"></script>
</head>
<body class="pair">
<header>
<h1>Two atlases side by side</h1>
<nav aria-label="Atlases">
{tabs}
</nav>
<button type="button" class="theme">Theme</button>
</header>
<main>
{frames}
</main>
</body>
</html>
"""


@dataclass(frozen=True)
class Other:
    """The other atlas of a site of two."""

    title: str
    address: str
    """Of its page, from this one's."""
    alike: bool
    """Whether it holds the same sites and units."""


def atlas_page(manifest: Manifest, title: str, place: str, other: Other | None) -> str:
    """The page of an atlas.

    Args:
        manifest: of the atlas.
        title: of the page.
        place: where the explorer comes.
        other: the atlas beside it.
    """
    n, all_sites = len(manifest.sites), manifest.n_sites
    where = ("layer" if manifest.unit == "neuron" else "site") + ("" if all_sites == 1 else "s")
    of = f"{n} of {all_sites} {where}" if n < all_sites else f"{n} {where}"
    link = ""
    if other is not None:
        words = f"the same {manifest.unit} in {other.title}" if other.alike else other.title
        same = " data-same" if other.alike else ""
        link = OTHER_LINK.format(address=escape(other.address), same=same, words=escape(words))
    about = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in made_from(manifest).items())
    return HEAD.format(title=escape(title), version=version("nbkit")) + EXPLORER_TAGS.format(
        title=escape(title),
        n_units=manifest.n_units,
        unit=manifest.unit,
        sites=of,
        other=link,
        place=place,
        about=about,
        inputs={"text": "contexts", "tokens": "windows", "labels": "inputs"}.get(manifest.inputs, manifest.inputs),
        side=BELOW_OR_ABOVE[manifest.sign],
        threshold=manifest.threshold,
        maximum=MAXIMUM_OF_A_CARD[manifest.sign],
        clustered=CENTERED_TEXT if manifest.embedding == CENTERED else WEIGHED.format(unit=manifest.unit),
        version=version("nbkit"),
    )


def pair_page(atlases: Sequence[tuple[str, str]]) -> str:
    """The page that shows two atlases side by side.

    Args:
        atlases: their titles and folders.
    """
    tabs, frames = [], []
    for number, (title, folder) in enumerate(atlases):
        chosen = "true" if number == 0 else "false"
        tabs.append(f'<button type="button" aria-pressed="{chosen}">{escape(title)}</button>')
        frames.append(f'<iframe src="{escape(folder)}/index.html" title="{escape(title)}"></iframe>')
    head = HEAD.format(title=escape(" and ".join(title for title, _ in atlases)), version=version("nbkit"))
    return head + PAIR.format(tabs="\n".join(tabs), frames="\n".join(frames))
