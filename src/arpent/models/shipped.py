"""Small bundles that come with Arpent, so that it can show what it does without a download. No torch here."""

from __future__ import annotations

from pathlib import Path

from arpent.core.bundle import FOLDER_HEADER

__all__ = ["shipped_bundle", "shipped_folder", "shipped_name", "shipped_names"]

_FOLDER = Path(__file__).with_name("bundles")


def shipped_folder() -> Path:
    """Where they lie."""
    return _FOLDER


def shipped_names() -> tuple[str, ...]:
    """Every bundle that comes with Arpent, a file or a folder; its contract says how it was made."""
    return tuple(sorted(_shipped()))


def shipped_bundle(name: str) -> Path | None:
    """The bundle of that name, if it comes with Arpent."""
    return _shipped().get(name)


def shipped_name(source: str | Path) -> str | None:
    """What the bundle at a path is called, if it comes with Arpent; the path may be that of a folder's header."""
    path = Path(source).absolute()
    if not path.is_relative_to(_FOLDER):
        return None
    return Path(path.relative_to(_FOLDER).parts[0]).stem if path != _FOLDER else None


def _shipped() -> dict[str, Path]:
    files = {path.stem: path for path in _FOLDER.glob("*.safetensors")}
    return files | {header.parent.name: header.parent for header in _FOLDER.glob(f"*/{FOLDER_HEADER}")}
