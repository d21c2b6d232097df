"""nbkit as a wheel, for readers of a book: there is none on PyPI, where another package has the name."""

from __future__ import annotations

import hashlib
import zipfile
from base64 import urlsafe_b64encode
from importlib.metadata import distribution, version
from pathlib import Path

PACKAGE, WHEEL_VERSION = Path(__file__).parents[1], version("nbkit")
WHEEL_SUFFIXES = {".py", ".js", ".css", ".csv", ".mplstyle", ".typed"}
ABOUT_WHEEL = {
    "METADATA": ("METADATA", "PKG-INFO"),
    "entry_points.txt": ("entry_points.txt",),
    "licenses/LICENSE": ("licenses/LICENSE", "../LICENSE"),
}
"""What tells about the package, by its name in a wheel; and what it is called where the package is installed, or in a
checkout, whose folder a command that is given there finds first."""
WHEEL = "Wheel-Version: 1.0\nGenerator: nbkit\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def wheel_name() -> str:
    """The name of the wheel of this version."""
    return f"nbkit-{WHEEL_VERSION}-py3-none-any.whl"


def write_wheel(folder: Path) -> Path:
    """Write this very package as a wheel, which pip installs with all that it needs; equal bytes for equal files."""
    about = distribution("nbkit")
    paths = sorted(path for path in PACKAGE.rglob("*") if path.suffix in WHEEL_SUFFIXES)
    contents = {f"nbkit/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes() for path in paths}
    info = f"nbkit-{WHEEL_VERSION}.dist-info"
    for name, sources in ABOUT_WHEEL.items():
        contents[f"{info}/{name}"] = next(filter(None, map(about.read_text, sources))).encode()
    contents[f"{info}/WHEEL"] = WHEEL.encode()
    record = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in contents.items()]
    contents[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()
    target = folder / wheel_name()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return target


def _digest(data: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
