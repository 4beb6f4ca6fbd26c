"""JSON documents of catalogs: files, addresses, files in object stores, answers to questions."""

from __future__ import annotations

import json
import posixpath
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin
from urllib.request import Request, urlopen

from arpent.core import object_address
from arpent.errors import FileMissing, NetworkMissing, UnreadableFile
from arpent.io.gdal import file_missing
from arpent.io.retry import persistently

__all__ = ["beside", "document_at", "is_web"]

_TIMEOUT = 30.0  # seconds
_GONE = frozenset({404, 410})
_BUSY = 429  # too many requests; from here on another try may help
_MOST = 64 << 20  # bytes
_UNREACHED = (URLError, TimeoutError, ConnectionError)


def is_web(source: str) -> bool:
    """Whether a source is an address of the web."""
    return source.startswith(("http://", "https://"))


def document_at(source: str, question: object = None) -> Any:  # noqa: ANN401 - whatever the JSON holds
    """What the JSON at a path or an address holds.

    Args:
        source: path, ``https://…``, ``s3://…`` or ``gs://…``.
        question: sent there as JSON, where an address of the web is asked for an answer (POST).

    Raises:
        FileMissing: nothing there.
        NetworkMissing: the address cannot be reached.
        UnreadableFile: no JSON.
    """
    if is_web(source):
        content = _fetch(source, question)
    elif object_address(source):
        from arpent.io.objects import object_text

        content = object_text(source, _MOST)
    else:
        content = _read(source)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(
            f"{source} is not JSON", found=str(error), cure="Give a STAC item, or an image."
        ) from error


def beside(href: str, source: str) -> str:
    """What a link means that was found at `source`."""
    if "://" in href or href.startswith("/vsi"):
        return href
    if is_web(source):
        return urljoin(source, href)
    stored = object_address(source)
    if stored:
        scheme, _, key = stored.partition("://")
        return f"{scheme}://{posixpath.normpath(posixpath.join(posixpath.dirname(key), href))}"
    return str(Path(source.removeprefix("file://")).absolute().parent / href)


def _read(source: str) -> bytes:
    path = Path(source.removeprefix("file://"))
    if not path.is_file():
        raise file_missing(path, source)
    return path.read_bytes()


def _fetch(source: str, question: object) -> bytes:
    headers = {"Accept": "application/geo+json, application/json"}
    body = None if question is None else json.dumps(question).encode()
    if body is not None:
        headers["Content-Type"] = "application/json"
    request = Request(source, body, headers)  # noqa: S310 http(s) only
    try:
        return persistently(lambda: _answer(request), _UNREACHED, _may_pass)
    except HTTPError as error:
        error.close()
        if error.code in _GONE:
            raise FileMissing(f"there is nothing at {source}", cure="Check the address.") from error
        raise _unreachable(source, f"HTTP {error.code}") from error
    except _UNREACHED as error:
        raise _unreachable(source, str(getattr(error, "reason", error))) from error


def _answer(request: Request) -> bytes:
    with urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 http(s) only
        return bytes(answer.read())


def _may_pass(error: Exception) -> bool:
    if isinstance(error, HTTPError):
        error.close()
        return error.code >= _BUSY
    return True


def _unreachable(source: str, reason: str) -> NetworkMissing:
    return NetworkMissing(
        f"{source} cannot be read",
        found=reason,
        cure="Check the address and the network, or download the item and name the copy.",
    )
