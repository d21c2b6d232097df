"""nbkit as a wheel, for readers of a book: there is none on PyPI, where another package has the name."""

from __future__ import annotations

import hashlib
import zipfile
from base64 import urlsafe_b64encode
from importlib.metadata import distribution, version
from pathlib import Path

PACKAGE, VERSION = Path(__file__).parents[1], version("nbkit")
SUFFIXES = {".py", ".js", ".css", ".mplstyle", ".typed"}
ABOUT = ("METADATA", "entry_points.txt", "licenses/LICENSE")
WHEEL = "Wheel-Version: 1.0\nGenerator: nbkit\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def wheel_name() -> str:
    """The name of the wheel of this version."""
    return f"nbkit-{VERSION}-py3-none-any.whl"


def write_wheel(folder: Path) -> Path:
    """Write this very package as a wheel, which pip installs with all that it needs; equal bytes for equal files."""
    about = distribution("nbkit")
    paths = sorted(path for path in PACKAGE.rglob("*") if path.suffix in SUFFIXES)
    contents = {f"nbkit/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes() for path in paths}
    info = f"nbkit-{VERSION}.dist-info"
    contents |= {f"{info}/{name}": text.encode() for name in ABOUT if (text := about.read_text(name))}
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
