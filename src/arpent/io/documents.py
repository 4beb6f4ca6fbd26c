"""JSON documents of catalogs: files, addresses, files in object stores, answers to questions."""

from __future__ import annotations

import json
import posixpath
import re
import time
from base64 import b64encode
from http.client import HTTPException, HTTPResponse, IncompleteRead, InvalidURL
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from arpent.core import object_address, shown_address
from arpent.errors import FileMissing, NetworkMissing, UnreadableFile
from arpent.io.gdal import file_missing
from arpent.io.kept import kept_document
from arpent.io.retry import persistently

__all__ = ["beside", "document_at", "is_web", "web_parts"]

_TIMEOUT = 30.0  # seconds without a word
_DEADLINE = 240.0  # seconds for a document, all tries together: a server that drips words never is without one
_PIECE = 1 << 16
_GONE = frozenset({404, 410})
_BUSY = 429  # too many requests; from here on another try may help
_MOST = 64 << 20  # bytes
_UNREACHED = (URLError, TimeoutError, ConnectionError, HTTPException)
_ARCHIVES = ("/vsizip/", "/vsitar/")
_ROOM = re.compile(r"(?<![\w.\- ])/vsi(?!curl/https?://|s3/|gs/|zip/|tar/)\w*")
"""One of GDAL's rooms, at the beginning of a path or inside a longer name (``vrt:///vsistdin/``)."""
_SCHEME = re.compile(r"\A(https?|s3|gs|file)(?=://)", re.IGNORECASE)
_LEADS = (
    ("a catalog of the web", "https://…"),
    ("a catalog in an object store", "https://…, s3://… or gs://…"),
    ("a catalog", "a file, https://…, s3://… or gs://…"),
)
_PLAIN = "%/:;@!$&'()*+,=~?"
"""What stands in the path and the question of an address as it is."""


def is_web(source: str) -> bool:
    """Whether a source is an address of the web."""
    return source.startswith(("http://", "https://"))


def web_parts(address: str) -> SplitResult:
    """The parts of an address.

    Raises:
        UnreadableFile: it is none.
    """
    try:
        return urlsplit(address)
    except ValueError as error:
        raise _no_address(address, str(error)) from error


def document_at(source: str, question: object = None) -> Any:  # noqa: ANN401 - whatever the JSON holds
    """What the JSON at a path or an address holds.

    Args:
        source: path, ``https://…``, ``s3://…`` or ``gs://…``.
        question: sent there as JSON, where an address of the web is asked for an answer (POST).

    Raises:
        FileMissing: nothing there.
        NetworkMissing: the address cannot be reached.
        UnreadableFile: no JSON, too much of it, or no address.
    """
    if is_web(source):
        content = _fetch(source, question)
    elif object_address(source):
        from arpent.io.objects import object_start

        content = object_start(source, _MOST + 1)
    else:
        content = _read(source)
    if len(content) > _MOST:
        raise UnreadableFile(
            f"{shown_address(source)} is too large",
            found=f"more than {_MOST:,} bytes",
            cure="Name a part of the catalog, or the address of a STAC API.",
        )
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(
            f"{shown_address(source)} is not JSON", found=str(error), cure="Give a STAC item, or an image."
        ) from error


def beside(href: str, source: str) -> str:
    """What a link means that was found at `source`.

    Who lists images need not be who opens them: what lies on the web leads to the web alone, what lies in an object
    store to object stores too, and nothing leads into GDAL's rooms of its own (``/vsistdin/``, ``/vsimem/`` …).

    Raises:
        UnreadableFile: it leads where it may not, or is no address.
    """
    place = _place(href, source)
    if not _may_lead(source, place):
        lies, leads = _LEADS[0 if is_web(source) else 1 if object_address(source) else 2]
        raise UnreadableFile(
            f"{shown_address(source)} names what {lies} may not open",
            found=shown_address(href)[:200],
            expected=leads,
            cure="Name it yourself, if you trust it.",
        )
    return place


def _place(href: str, source: str) -> str:
    """What a link means, whether or not it may."""
    try:
        href.encode()
        href = _SCHEME.sub(lambda found: found[0].lower(), href)
        if is_web(source) and not href.startswith("/vsi"):
            return _SCHEME.sub(lambda found: found[0].lower(), urljoin(source, href))
    except ValueError as error:
        raise _no_address(ascii(href), str(error)) from error
    if "://" in href or href.startswith("/vsi"):
        return href
    stored = object_address(source)
    if stored:
        scheme, _, key = stored.partition("://")
        return f"{scheme}://{posixpath.normpath(posixpath.join(posixpath.dirname(key), href))}"
    return str(Path(source.removeprefix("file://")).absolute().parent / href)


def _may_lead(source: str, place: str) -> bool:
    inner = place
    while inner.startswith(_ARCHIVES):
        inner = inner[len(_ARCHIVES[0]) :]
    if is_web(inner) or inner.startswith(("/vsicurl/http://", "/vsicurl/https://")):
        return True
    if inner.startswith(("/vsis3/", "/vsigs/")) or object_address(inner):
        return not is_web(source)
    return not (is_web(source) or object_address(source) or _ROOM.search(inner))


def _read(source: str) -> bytes:
    path = Path(source.removeprefix("file://"))
    if not path.is_file():
        kept = kept_document(source)
        if kept is not None:
            return kept
        raise file_missing(path, source)
    with path.open("rb") as file:
        return file.read(_MOST + 1)


def _request(address: str, body: bytes | None, headers: dict[str, str]) -> Request:
    """A question, with the user and password of an address as HTTP has them: in a header, and for this host alone."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    request = Request(parts._replace(netloc=host).geturl(), body, headers)  # noqa: S310 http(s) only
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_unredirected_header("Authorization", f"Basic {b64encode(login.encode()).decode()}")
    return request


def _fetch(source: str, question: object) -> bytes:
    headers = {"Accept": "application/geo+json, application/json"}
    body = None if question is None else json.dumps(question).encode()
    if body is not None:
        headers["Content-Type"] = "application/json"
    end = time.monotonic() + _DEADLINE
    try:
        request = _request(_encoded(source), body, headers)
        return persistently(lambda: _answer_until(end, request), _UNREACHED, _may_pass)
    except (InvalidURL, ValueError) as error:
        raise _no_address(source, str(error)) from error
    except HTTPError as error:
        error.close()
        if error.code in _GONE:
            raise FileMissing(f"there is nothing at {shown_address(source)}", cure="Check the address.") from error
        raise _unreachable(source, f"HTTP {error.code}") from error
    except _UNREACHED as error:
        raise _unreachable(source, _reason(error)) from error


def _encoded(address: str) -> str:
    """An address with blanks and letters of all scripts, as servers are asked for it."""
    parts = urlsplit(address)
    return parts._replace(path=quote(parts.path, _PLAIN), query=quote(parts.query, _PLAIN), fragment="").geturl()


class _ToTheWeb(HTTPRedirectHandler):
    """Servers may send elsewhere on the web, but not to other kinds of places."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:  # noqa: ANN401 - as its parent has it
        if not is_web(newurl.lower()):
            raise HTTPError(req.full_url, code, "leads out of the web", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _TooSlow(TimeoutError):
    """The whole document has not come in time; another try has no time left."""


def _answer_until(end: float, request: Request) -> bytes:
    """What a server answers, waited for until a moment of the monotonic clock, whatever the server does till then."""
    told: SimpleQueue[bytes | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            told.put(_answer(request, end))
        except (OSError, HTTPException, ValueError) as error:  # raised again by who waits
            told.put(error)

    # Who reads a line of a header waits for its end: only another thread can stop waiting.
    Thread(target=ask, name="document", daemon=True).start()
    try:
        answer = told.get(timeout=max(end - time.monotonic(), 0))
    except Empty:
        raise _TooSlow from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _answer(request: Request, end: float) -> bytes:
    """The first bytes of an answer, one more than a document may have."""
    with build_opener(_ToTheWeb).open(request, timeout=_TIMEOUT) as answer:
        pieces: list[bytes] = []
        size = 0
        while size <= _MOST and (piece := answer.read(_PIECE)):
            pieces.append(piece)
            size += len(piece)
            if time.monotonic() > end:
                raise _TooSlow
        if size <= _MOST:
            _require_whole(answer, size)
        return b"".join(pieces)


def _require_whole(answer: HTTPResponse, size: int) -> None:
    """Raises `IncompleteRead` where an answer is shorter than it said: reading by pieces does not."""
    said = answer.headers.get("Content-Length", "")
    if said.isdecimal() and size < int(said) and not answer.headers.get("Transfer-Encoding"):
        raise IncompleteRead(b"", int(said) - size)


def _may_pass(error: Exception) -> bool:
    if isinstance(error, HTTPError):
        error.close()
        return error.code >= _BUSY
    return not isinstance(error, InvalidURL | _TooSlow)


def _reason(error: Exception) -> str:
    """Why there is no answer."""
    match error:
        case _TooSlow():
            return f"no end of it after {_DEADLINE:g} s"
        case IncompleteRead():
            return "an answer that is cut short"
        case HTTPException() if not isinstance(error, ConnectionError):
            return f"an answer that is not HTTP: {str(error)[:80]}"
        case _:
            return str(getattr(error, "reason", error))


def _no_address(source: str, reason: str) -> UnreadableFile:
    return UnreadableFile(f"{shown_address(source)} is no address", found=reason, cure="Correct the address.")


def _unreachable(source: str, reason: str) -> NetworkMissing:
    return NetworkMissing(
        f"{shown_address(source)} cannot be read",
        found=reason,
        cure="Check the address and the network, or download the item and name the copy.",
    )
