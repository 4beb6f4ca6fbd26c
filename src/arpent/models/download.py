"""Bringing published weights to this machine, and making sure that they are what was published."""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from arpent.core.addresses import shown_address
from arpent.core.hashing import file_sha256
from arpent.core.progress import Progress, Silent
from arpent.core.writing import publish_file, write_file, writing
from arpent.errors import ExtraMissing, NetworkMissing, UnreadableFile, WeightsMissing
from arpent.models.published import Published, PublishedFile, models_folder, published_model

__all__ = ["Fetched", "fetch", "fetch_entry"]

RECORD = "checksums.json"
"""Beside the weights: the SHA-256 seen at the first download of files whose publisher shows none."""

INCOMING = ".incoming"
"""Beside the weights: where files are until they are whole and checked, and the client's notes on them."""


@dataclass(frozen=True)
class Fetched:
    """One file of a published model, now on this machine.

    Attributes:
        path: where it lies.
        sha256: its checksum.
        checked: against what: the catalog, the server's own checksum, an earlier download, or nothing yet.
    """

    path: Path
    sha256: str
    checked: Literal["catalog", "server", "recorded", "first seen"]


def fetch(name: str, *, folder: Path | None = None, progress: Progress | None = None) -> tuple[Fetched, ...]:
    """Download a published model's files from Hugging Face, or check those that are there.

    A connection that breaks off is taken up where it stopped; a fetch that gave up begins again the next time. A file
    with another checksum than the published one is removed when it was downloaded, and left alone when a person had
    put it there.

    Args:
        name: a model of the catalog.
        folder: where models lie; `models_folder()` by default. Files go to ``<folder>/<name>/``.
        progress: told the bytes.

    Raises:
        UnknownName: no such model.
        NetworkMissing: the server cannot be reached; the message says what to put where.
        WeightsMissing: the server does not have the file, or sent another one.
        UnreadableFile: the checksums that were recorded earlier are damaged.
    """
    return fetch_entry(published_model(name), folder=folder, progress=progress)


def fetch_entry(
    entry: Published, *, folder: Path | None = None, progress: Progress | None = None
) -> tuple[Fetched, ...]:
    """`fetch`, for a model that need not be in the catalog: a repository and its files say enough."""
    home = (folder or models_folder()) / entry.name
    with writing(home):
        home.mkdir(parents=True, exist_ok=True)
    done = tuple(_one(entry, file, home, progress or Silent()) for file in entry.files)
    shutil.rmtree(home / INCOMING, ignore_errors=True)
    return done


def _one(entry: Published, file: PublishedFile, home: Path, progress: Progress) -> Fetched:
    path = home / file.name
    recorded = _records(home).get(file.name)
    return _here(file, path, recorded) if path.is_file() else _brought(entry, file, path, recorded, progress)


def _here(file: PublishedFile, path: Path, recorded: str | None) -> Fetched:
    """The file that lies at `path`, checked and left where it is."""
    sha256 = file_sha256(path)
    if sha256 != (file.sha256 or recorded or sha256):
        raise WeightsMissing(
            f"{path} is not the published file",
            found=f"SHA-256 {sha256}",
            expected=file.sha256 or recorded,
            cure="Remove it and fetch again, or use it by its path with --file.",
        )
    if file.sha256:
        return Fetched(path, sha256, "catalog")
    if recorded:
        return Fetched(path, sha256, "recorded")
    _record(path, sha256)
    return Fetched(path, sha256, "first seen")


def _brought(entry: Published, file: PublishedFile, path: Path, recorded: str | None, progress: Progress) -> Fetched:
    """The file from its server: it is checked beside its place, and takes its name when it is what was published."""
    incoming = path.parent / INCOMING
    # Nothing vouches for a file that came earlier and was not checked before an interruption.
    (incoming / file.name).unlink(missing_ok=True)
    tag = _download(entry, file, incoming, progress)
    arrived = incoming / file.name
    sha256 = file_sha256(arrived)
    served = tag if _is_sha256(tag) else None
    wanted = file.sha256 or recorded or served
    if wanted and sha256 != wanted:
        arrived.unlink()
        renewed = f" or, if its publisher has renewed it, remove it from {path.with_name(RECORD)} first"
        raise WeightsMissing(
            f"the file that came for {entry.name} is not the published one, and was removed",
            found=f"SHA-256 {sha256}",
            expected=wanted,
            cure=f"Fetch again{renewed if wanted == recorded else ''}; if it recurs, see {entry.page}.",
        )
    if not file.sha256 and not recorded:
        _record(path, sha256)
    publish_file(arrived, path)
    return Fetched(
        path, sha256, "catalog" if file.sha256 else "recorded" if recorded else "server" if served else "first seen"
    )


def _record(path: Path, sha256: str) -> None:
    records = {**_records(path.parent), path.name: sha256}
    write_file(path.with_name(RECORD), json.dumps(records, indent=2, sort_keys=True) + "\n")


def _records(home: Path) -> dict[str, str]:
    place = home / RECORD
    try:
        records = json.loads(place.read_bytes())
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:  # of JSON, and of letters that are no UTF-8
        raise _illegible(place) from error
    sound = isinstance(records, dict) and all(_is_sha256(value) for value in records.values())
    if not sound:
        raise _illegible(place)
    return dict(records)


def _illegible(place: Path) -> UnreadableFile:
    return UnreadableFile(
        f"{place} cannot be read as the checksums that were recorded there",
        expected="a JSON object of file names and SHA-256",
        cure="Restore it from a copy, or remove it and the files beside it, and fetch them again.",
    )


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _download(entry: Published, file: PublishedFile, incoming: Path, progress: Progress) -> str:
    """Bring one file to the folder `incoming`; answers with the server's tag of it, its SHA-256 for large files."""
    place = incoming.with_name(file.name)
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ImportError as error:
        raise ExtraMissing.of("learn", "downloading models") from error
    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        # One question first: the client itself would retry for half a minute before it says that nobody is there.
        address = huggingface_hub.hf_hub_url(entry.repo, file.name, endpoint=endpoint)
        tag = huggingface_hub.get_hf_file_metadata(address, timeout=10, endpoint=endpoint).etag
        shown = _reporting_to(progress, f"{entry.name}: {file.name}")
        with writing(incoming):
            huggingface_hub.hf_hub_download(
                entry.repo, file.name, local_dir=incoming, endpoint=endpoint, tqdm_class=shown
            )
    # Which client the library is built on, and so which errors it lets through, differs between its versions.
    except (errors.HTTPError, OSError) as error:  # type: ignore[attr-defined]
        absent = isinstance(error, (errors.EntryNotFoundError, errors.RepositoryNotFoundError))
        if absent and not isinstance(error, errors.LocalEntryNotFoundError):
            raise WeightsMissing(
                f"{entry.repo} has no file {file.name}",
                cure=f"See {entry.page} for its present name, and put the file at {place}.",
            ) from error
        raise NetworkMissing(
            f"{entry.repo} cannot be downloaded from here",
            found=_reason(error),
            cure=f"Download {entry.address(file)} elsewhere and put it at {place}.",
        ) from error
    return tag or ""


def _reason(error: Exception) -> str:
    first: str = str(error).strip().partition("\n")[0]
    return shown_address(first) or type(error).__name__


def _reporting_to(progress: Progress, title: str) -> Any:  # noqa: ANN401 - stands in for a class of tqdm, untyped
    class Reporting:
        """What the client takes for a bar of tqdm."""

        def __init__(self, *_: object, total: float | None = None, initial: float = 0, **__: object) -> None:
            self._open = ExitStack()
            self._bar = self._open.enter_context(progress.bar(title, total, "bytes"))
            self.update(initial)

        def update(self, amount: float = 1) -> None:
            self._bar.advance(amount)

        def close(self) -> None:
            self._open.close()

        def __enter__(self) -> Reporting:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

    return Reporting
