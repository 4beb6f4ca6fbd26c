"""Documents that a process has written to its cache, and can tell to another machine, which has a cache of its own."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["keep_documents", "kept_document", "kept_documents"]

_KEPT: dict[str, str] = {}
"""Their texts, by their paths on the machine that has written them."""


def keep_documents(documents: Mapping[str, str]) -> None:
    """Holds documents ready under the paths of the machine that has written them, where they may not lie here."""
    _KEPT.update(documents)


def kept_documents() -> dict[str, str]:
    """All of them, for another machine."""
    return dict(_KEPT)


def kept_document(path: str) -> bytes | None:
    """What a document holds; None where nobody has told of it."""
    text = _KEPT.get(path)
    return None if text is None else text.encode()
