"""The one place that talks to GDAL about itself: its settings, its addresses and its errors."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError  # the class has no public address, and it is what WarpedVRT raises
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.session import DummySession

from arpent.core import object_address, shown_address
from arpent.errors import FileMissing, InputError, NetworkMissing, UnreadableFile, nearest
from arpent.io import cache
from arpent.io.access import gs_access, s3_access
from arpent.io.retry import persistently

__all__ = [
    "address_of",
    "environment",
    "file_missing",
    "is_remote",
    "network_uses",
    "open_dataset",
    "persevering",
    "placeless",
    "read_afresh",
    "translated",
]

_SCHEMES = {"http": "/vsicurl/http://", "https": "/vsicurl/https://", "s3": "/vsis3/", "gs": "/vsigs/"}
_NETWORKED = ("/vsicurl", "/vsis3", "/vsigs")
_EVERYWHERE = ":".join(f"{root}/" for root in _NETWORKED)

_LOCAL = {
    # Look for the sidecars of a file by name: listing a folder of 100 000 tiles takes longer than reading one.
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",
    # The reader has threads of its own; more inside GDAL would only compete with them.
    "GDAL_NUM_THREADS": 1,
    # GDAL's short cut for small PNGs takes one that is cut short for whole, and shows old memory for what is missing.
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",
    # A warped image is then made in fixed blocks, each from the same source pixels whatever window is asked for.
    # Without this, GDAL warps each window by itself, and two windows disagree on the pixels that they share.
    "GDAL_VRT_WARP_USE_DATASET_RASTERIO": "NO",
}
_REMOTE = {
    **_LOCAL,
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_CONNECTTIMEOUT": 10,
    "GDAL_HTTP_LOW_SPEED_LIMIT": 1000,  # bytes per second
    "GDAL_HTTP_LOW_SPEED_TIME": 20,  # seconds
    "GDAL_HTTP_MAX_RETRY": 0,  # GDAL would try again after some errors and not after others; see `persevering`
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_HTTP_TIMEOUT": 60,
    "GDAL_INGESTED_BYTES_AT_OPEN": 32768,  # the whole header of most COGs in one request
    "VSI_CACHE": True,
    "VSI_CACHE_SIZE": 8 << 20,
}

_SIGNS = {
    "missing": re.compile(r"response code: (404|410)|NoSuchKey|NoSuchBucket", re.I),
    "refused": re.compile(r"response code: (401|403)|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch", re.I),
    # GDAL says that a file "does not exist" when S3 did not answer; when S3 did, it gives the answer's code.
    "network": re.compile(r"CURL error|response code: \d+|timed? ?out|does not exist in the file system", re.I),
    "format": re.compile(r"not recognized as being in a supported file format"),
}
_ASIDE = re.compile(r"\s*\(this error can be[^)]*\)")
"""How GDAL's programmers may silence an error: nothing for who has the file."""

# What a broken file says of itself need not be text: rasterio then fails to decode it.
_GDAL_ERRORS = (RasterioError, CPLE_BaseError, UnicodeDecodeError)

Result = TypeVar("Result")

_uses = {"network": 0}

_asked = set[str]()
"""Remote addresses of which GDAL may have kept something."""

# The warning filters of Python belong to the whole process: the first thread that opens an image changes them, the last
# one changes them back. None waits for another, which may be reading from a slow network.
_counting = Lock()
_opening = {"threads": 0}
_quiet = ExitStack()


def is_remote(source: str) -> bool:
    """Whether a source is read over the network; of the text of a VRT, whether a part of it is."""
    if source.startswith("<"):
        return any(name in source for name in _NETWORKED)
    return source.partition(":")[0].lower() in _SCHEMES or source.startswith(_NETWORKED)


def network_uses() -> int:
    """How often this process has let GDAL into the network so far: a number to compare with a later one, no measure."""
    return _uses["network"]


def address_of(source: str) -> str:
    """What GDAL calls a source: ``https://host/a.tif`` is ``/vsicurl/https://host/a.tif``."""
    source = object_address(source) or source
    scheme, colon, rest = source.partition("://")
    if not colon:
        return source
    if scheme == "file":
        return rest
    if scheme not in _SCHEMES:
        return source
    return _SCHEMES[scheme] + (rest.replace(" ", "%20") if scheme.startswith("http") else rest)


@contextmanager
def environment(*, remote: bool = False, keep: int | None = None) -> Iterator[None]:
    """GDAL as the reader wants it, for the calling thread, until the block ends.

    Args:
        remote: whether the network is needed.
        keep: bytes of decoded pixels that GDAL may keep; what the open images need if None, or what the user has set.
    """
    if remote:
        _uses["network"] += 1
    options: dict[str, Any] = {**_REMOTE, **_object_stores(os.environ)} if remote else dict(_LOCAL)
    options |= cache.limit() if keep is None or "GDAL_CACHEMAX" in os.environ else {"GDAL_CACHEMAX": keep}
    # GDAL finds AWS credentials by itself: the session that does nothing keeps boto3 out of it.
    with rasterio.Env(session=DummySession(), **options):
        yield


def _object_stores(environ: Mapping[str, str]) -> dict[str, str]:
    """GDAL's words for how the object stores are reached."""
    options: dict[str, str] = {}
    s3, gs = s3_access(environ), gs_access(environ)
    if s3.host:
        options["AWS_S3_ENDPOINT"] = s3.host
    if s3.scheme:
        options["AWS_HTTPS"] = "NO" if s3.scheme == "http" else "YES"
    if s3.virtual is not None:
        options["AWS_VIRTUAL_HOSTING"] = str(s3.virtual).upper()
    if gs.host:
        options["CPL_GS_ENDPOINT"] = f"{gs.scheme or 'https'}://{gs.host}/"
    options["AWS_NO_SIGN_REQUEST"] = "YES" if s3.anonymous else "NO"
    options["GS_NO_SIGN_REQUEST"] = "YES" if gs.anonymous else "NO"
    return options


def open_dataset(address: str, source: str, *, remote: bool | None = None) -> rasterio.DatasetReader:
    """Open what GDAL finds at `address`. Each call gives a handle of its own.

    Args:
        address: a path, an address of GDAL's own, or the text of a VRT.
        source: what errors call it.
        remote: whether the network is needed, where the address does not tell.

    Raises:
        FileMissing: nothing there.
        UnreadableFile: not an image, or damaged.
        NetworkMissing: the address cannot be reached.
    """
    remote = is_remote(address) if remote is None else remote
    _check_on_disk(address, source)
    with environment(remote=remote), translated(source, remote=remote):
        return persevering(lambda: _opened(address), remote=remote)


def read_afresh(address: str) -> None:
    """Lets the next opening of a remote file see what lies there now, and not what GDAL has kept of an earlier one.

    In a notebook or beside a map another file may come to lie at the same address. The first time that this process
    asks for an address it costs nothing; later, as much as reading a header.
    """
    if not address.startswith(_NETWORKED):
        return
    if address in _asked:
        forgetful = rasterio.Env(session=DummySession(), CPL_VSIL_CURL_NON_CACHED=_EVERYWHERE)
        with environment(remote=True), forgetful, suppress(*_GDAL_ERRORS):
            rasterio.shutil.exists(address)  # what GDAL has kept goes as this closes
    _asked.add(address)


def _opened(address: str) -> rasterio.DatasetReader:
    # A picture without georeference is welcome here; whoever needs a place on earth asks the grid for it.
    with placeless():
        return rasterio.open(address, sharing=False)


@contextmanager
def placeless() -> Iterator[None]:
    """Keeps rasterio from warning of pixels without a place on earth, in all threads until the last has left."""
    with _counting:
        _opening["threads"] += 1
        if _opening["threads"] == 1:
            _quiet.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
    try:
        yield
    finally:
        with _counting:
            _opening["threads"] -= 1
            if not _opening["threads"]:
                _quiet.close()


def persevering(action: Callable[[], Result], *, remote: bool) -> Result:
    """The result of `action`; several tries, when it is `remote` and the failure may pass."""
    if not remote:
        return action()
    tries = count()

    def once_more() -> Result:
        if next(tries) == 0:
            return action()
        # GDAL notes of an object store that did not answer that the file is empty, and would go on to believe it.
        with rasterio.Env(session=DummySession(), CPL_VSIL_CURL_NON_CACHED="/vsis3/:/vsigs/"):
            return action()

    return persistently(once_more, _GDAL_ERRORS, _may_pass)


def _may_pass(error: Exception) -> bool:
    return _kind(_story(error), remote=True) in {"network", "damaged"}


def _check_on_disk(address: str, source: str) -> None:
    if address.startswith(("/vsi", "<")) or re.match(r"[A-Za-z0-9_]{2,}:", address):
        return
    path = Path(address)
    if not path.exists():
        raise file_missing(path, source)
    if path.is_file() and path.stat().st_size == 0:
        raise UnreadableFile(f"{source} is empty", found="0 bytes", cure="Copy or download it again.")
    if path.suffix.lower() == ".vrt" and path.is_file():
        _check_text(path, source)


def _check_text(path: Path, source: str) -> None:
    """Refuses a VRT with names that are no text: GDAL's errors about them are lost on their way through rasterio."""
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"{source} is no text in UTF-8", found=error.reason, cure="Make it again, or save it as UTF-8."
        ) from None


def file_missing(path: Path, source: str) -> FileMissing:
    """The error for a path where nothing is, with the nearest name in its folder."""
    if not path.parent.is_dir():
        return FileMissing(f"there is no {source}", cure=f"The folder {path.parent} does not exist: check the path.")
    guess = nearest(path.name, (entry.name for entry in path.parent.iterdir()))
    return FileMissing(f"there is no {source}", cure=f"Did you mean '{guess}'?" if guess else "Check the path.")


@contextmanager
def translated(source: str, *, remote: bool = False) -> Iterator[None]:
    """Turn what GDAL raises in the block into one of Arpent's errors about `source`."""
    try:
        yield
    except _GDAL_ERRORS as error:
        raise _translation(_story(error), source, remote=remote) from error


def _story(error: BaseException) -> str:
    """All that GDAL said: an error and the ones that led to it."""
    told: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        told.append(str(cause))
        cause = cause.__cause__ or cause.__context__
    return " | ".join(told)


def _kind(story: str, *, remote: bool) -> str:
    """What went wrong, by what GDAL said: missing, refused, network, format or damaged."""
    for kind, pattern in _SIGNS.items():
        if (remote or kind == "format") and pattern.search(story):
            return kind
    return "damaged"


def _translation(story: str, source: str, *, remote: bool) -> InputError | NetworkMissing:
    source, last = shown_address(source), shown_address(_ASIDE.sub("", story.rpartition(" | ")[2]))[:160]
    match _kind(story, remote=remote):
        case "missing":
            return FileMissing(f"there is nothing at {source}", cure="Check the address.")
        case "refused":
            return NetworkMissing(
                f"{source} may not be read",
                cure="Give credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or sign the address.",
            )
        case "network":
            return NetworkMissing(
                f"{source} cannot be read",
                found=last,
                cure="Check the address and the network, or download the file and name the copy.",
            )
        case "format":
            return UnreadableFile(
                f"{source} is not an image that GDAL knows",
                cure="Check that it is complete and that its name tells its format.",
            )
        case _:
            return UnreadableFile(
                f"{source} cannot be read; it seems damaged or cut short",
                found=last,
                cure="Compare its size with the original's and copy it again.",
            )
