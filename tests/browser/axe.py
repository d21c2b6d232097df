"""axe-core for the tests of the pages; only they need it, so nbkit's own catalog does not have it."""

from nbkit.assets import Asset, Download, Source
from nbkit.assets.prepare import unpack_packages

AXE = Asset(
    name="axe-core",
    what="axe-core, which looks for what keeps people out of a page",
    license="MPL-2.0",
    downloads=(
        Download(
            file="axe-core-4.10.3.tgz",
            size=563802,
            sha256="0f2b4d7dcdf7d1219df8d1959ad68e565f51d14c3f0d88bb71cd59abeb956292",
            sources=(Source("npm", "axe-core@4.10.3"),),
        ),
    ),
    prepare=unpack_packages,
    size=3_000_000,
    result="axe-core/axe.min.js",
)
