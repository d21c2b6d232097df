"""Named things to download: a model, texts, images and front-end files, each checked by its sha256 and fetched once.

`fetch(name)` returns where an asset lies in the cache: the folder that `NBKIT_CACHE` names, or the user's cache folder.
With `NBKIT_OFFLINE=1` nothing touches the network.
"""

from nbkit.assets.cache import cache_folder, describe, fetch, is_offline
from nbkit.assets.catalog import ASSETS, Asset, Download
from nbkit.assets.clients import Source, find_npm
from nbkit.assets.offline import hub_as_asked

__all__ = [
    "ASSETS",
    "Asset",
    "Download",
    "Source",
    "cache_folder",
    "describe",
    "fetch",
    "find_npm",
    "hub_as_asked",
    "is_offline",
]
