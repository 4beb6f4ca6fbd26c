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

from arpent.core.hashing import file_sha256
from arpent.core.progress import Progress, Silent
from arpent.core.writing import write_file, writing
from arpent.errors import ExtraMissing, NetworkMissing, WeightsMissing
from arpent.models.published import Published, PublishedFile, models_folder, published_model

__all__ = ["Fetched", "fetch"]

RECORD = "checksums.json"
"""Beside the weights: the SHA-256 seen at the first download of files whose publisher shows none."""


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
    """
    entry = published_model(name)
    home = (folder or models_folder()) / name
    with writing(home):
        home.mkdir(parents=True, exist_ok=True)
    done = tuple(_one(entry, file, home, progress or Silent()) for file in entry.files)
    shutil.rmtree(home / ".cache", ignore_errors=True)  # the client's notes on downloads that are now complete
    return done


def _one(entry: Published, file: PublishedFile, home: Path, progress: Progress) -> Fetched:
    path = home / file.name
    recorded = _records(home).get(file.name)
    if path.is_file():
        sha256 = file_sha256(path)
        if sha256 != (file.sha256 or recorded or sha256):
            raise WeightsMissing(
                f"{path} is not the published file",
                found=f"SHA-256 {sha256}",
                expected=file.sha256 or recorded,
                cure="Remove it and fetch again, or use it by its path with --file.",
            )
        origin: Literal["catalog", "server", "recorded", "first seen"] = (
            "catalog" if file.sha256 else "recorded" if recorded else "first seen"
        )
    else:
        tag = _download(entry, file, home, progress)
        sha256 = file_sha256(path)
        served = tag if re.fullmatch("[0-9a-f]{64}", tag) else None
        wanted = file.sha256 or recorded or served
        if wanted and sha256 != wanted:
            path.unlink()
            raise WeightsMissing(
                f"the file that came for {entry.name} is not the published one, and was removed",
                found=f"SHA-256 {sha256}",
                expected=wanted,
                cure=f"Fetch again; if it recurs, see {entry.page}.",
            )
        origin = "catalog" if file.sha256 else "recorded" if recorded else "server" if served else "first seen"
    if not file.sha256 and recorded is None:
        write_file(home / RECORD, json.dumps({**_records(home), file.name: sha256}, indent=2, sort_keys=True) + "\n")
    return Fetched(path, sha256, origin)


def _records(home: Path) -> dict[str, str]:
    try:
        records: dict[str, str] = json.loads((home / RECORD).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return records


def _download(entry: Published, file: PublishedFile, home: Path, progress: Progress) -> str:
    """Bring one file; answers with the tag that the server gives it, which is its SHA-256 for large files."""
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
        with writing(home):
            huggingface_hub.hf_hub_download(entry.repo, file.name, local_dir=home, endpoint=endpoint, tqdm_class=shown)
    # Which client the library is built on, and so which errors it lets through, differs between its versions.
    except (errors.HTTPError, OSError) as error:  # type: ignore[attr-defined]
        absent = isinstance(error, (errors.EntryNotFoundError, errors.RepositoryNotFoundError))
        if absent and not isinstance(error, errors.LocalEntryNotFoundError):
            raise WeightsMissing(
                f"{entry.repo} has no file {file.name}",
                cure=f"See {entry.page} for its present name, and put the file at {home / file.name}.",
            ) from error
        raise NetworkMissing(
            f"{entry.repo} cannot be downloaded from here",
            found=_reason(error),
            cure=f"Download {entry.address(file)} elsewhere and put it at {home / file.name}.",
        ) from error
    return tag or ""


def _reason(error: Exception) -> str:
    first: str = str(error).strip().partition("\n")[0]
    return first or type(error).__name__


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
