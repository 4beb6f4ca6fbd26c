"""The manifest of a run: what went in, what was done, what came out.

``docs/formats/run-folder.md`` describes the format for readers of other origins.
"""

from __future__ import annotations

import json
import math
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from arpent.core import Language
from arpent.core.formats import Format
from arpent.core.small_files import read_small
from arpent.errors import InvalidSetting, RunDamaged, UnknownName, UnreadableFile
from arpent.version import __version__

__all__ = [
    "MANIFEST",
    "MANIFEST_FORMAT",
    "MOST_BYTES",
    "BundleRecord",
    "Failure",
    "FileRecord",
    "InputRecord",
    "Manifest",
    "Product",
    "ProductKind",
    "language_set",
    "read_manifest",
    "versions",
]

MANIFEST = "manifest.json"
"""Name of the manifest in its run folder. A folder without one is not a run yet."""

MANIFEST_FORMAT = 3
"""Version of the format that this code writes; it reads this one and every earlier one."""

MOST_BYTES = 64 * 1024 * 1024
"""A manifest lists files, it does not hold them."""


def _inside(name: str) -> str:
    """Refuses what could lead out of the run folder, on any operating system."""
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or {"\\", "\0", ":"} & set(name):
        raise ValueError("a path inside the run folder")
    return name


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


InsideFile = Annotated[str, AfterValidator(_inside)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[float | None, BeforeValidator(_finite)]
ProductKind = Literal["raster", "vector", "table", "text", "picture", "page", "model"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileRecord(_Record):
    """A file of the run.

    Attributes:
        file: path inside the run folder, with forward slashes.
        sha256: of its bytes.
        bytes: its size.
    """

    file: InsideFile
    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class Product(FileRecord):
    """A file that the run was made for.

    Attributes:
        name: what the task calls it ("classes", "preview").
        kind: what sort of file it is.
        stac: the STAC item that describes it.
        sidecars: files that belong to it (``.aux.xml``).
    """

    name: str
    kind: ProductKind
    stac: FileRecord | None = None
    sidecars: tuple[FileRecord, ...] = ()


class InputRecord(_Record):
    """Something that the run read.

    Attributes:
        source: whole path of a file or folder; an address as it was given, without user, password and signature.
        role: what it was used as ("image", "labels").
        sha256: of its bytes; None for remote ones and folders.
        bytes: its size, where known.
    """

    source: str
    role: str = "image"
    sha256: Sha256 | None = None
    bytes: int | None = None


class BundleRecord(_Record):
    """The model that the run used.

    Attributes:
        source: path or catalog name.
        sha256: of the bundle's file.
    """

    source: str
    sha256: Sha256


class Failure(_Record):
    """An item that could not be done.

    Attributes:
        item: which one.
        error: class of the error ("UnreadableFile").
        message: its one line.
    """

    item: str
    error: str
    message: str


class Manifest(_Record):
    """Everything that is known about a finished run.

    Attributes:
        format: version of the manifest format.
        task: the task that made it ("landcover-predict").
        name: given by the user, or derived from the input.
        status: "partial" when some items failed.
        created: when the run was begun.
        finished: when its last product was in place.
        attempts: how many times it was begun or resumed.
        settings: the resolved settings of the task.
        inputs: what was read.
        bundle: the model used, if any.
        versions: of Arpent, Python and the libraries that took part.
        platform: operating system and processor.
        timings: seconds by step, of the last attempt.
        metrics: numbers by name; None where a number was not finite.
        products: what came out.
        failures: what did not.
        warnings: what makes the result doubtful, in the language of the run.
        language: that the run was made in; what its settings say, where nothing else does.
    """

    format: Annotated[int, Field(ge=1)] = MANIFEST_FORMAT
    task: str
    name: str
    status: Literal["complete", "partial"]
    created: AwareDatetime
    finished: AwareDatetime
    attempts: Annotated[int, Field(ge=1)] = 1
    settings: Mapping[str, Any] = {}
    inputs: tuple[InputRecord, ...] = ()
    bundle: BundleRecord | None = None
    versions: Mapping[str, str] = {}
    platform: str = ""
    timings: Mapping[str, float] = {}
    metrics: Mapping[str, Number] = {}
    products: tuple[Product, ...] = ()
    failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()
    language: Language = "en"

    @model_validator(mode="before")
    @classmethod
    def _earlier(cls, content: object) -> object:
        """Earlier formats have no language of their own."""
        if isinstance(content, dict) and "language" not in content:
            return content | {"language": language_set(content.get("settings"))}
        return content

    def product(self, name: str) -> Product:
        """The product of that name."""
        for product in self.products:
            if product.name == name:
                return product
        raise UnknownName.among(name, [p.name for p in self.products], f"product of run {self.name}")

    def files(self) -> Iterator[FileRecord]:
        """Every file that the manifest vouches for."""
        for product in self.products:
            yield product
            if product.stac:
                yield product.stac
            yield from product.sidecars

    def to_json(self) -> str:
        """The text of ``manifest.json``."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def language_set(settings: object) -> Language:
    """The language that the settings of a run name; English, where they name none."""
    return "fr" if isinstance(settings, Mapping) and settings.get("language") == "fr" else "en"


def read_manifest(path: Path) -> Manifest:
    """Reads and checks a ``manifest.json`` that anybody may have written.

    Raises:
        FileMissing: no such file.
        RunDamaged: it cannot be trusted or understood.
    """
    try:
        text = read_small(path, "manifest", most=MOST_BYTES, cure="Check the path of the run folder.")
    except (UnreadableFile, InvalidSetting) as problem:
        raise _damaged(path, problem.found) from problem
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise _damaged(path, f"no JSON ({problem})") from problem
    if not isinstance(content, dict):
        raise _damaged(path, "JSON that is not an object")
    return _FORMAT.read(Manifest, content, path)


def _damaged(path: Path, found: object) -> RunDamaged:
    return RunDamaged(
        f"{path} cannot be used",
        found=found,
        expected="the manifest of a run",
        cure="Restore the run folder from a copy, or make the run again in another folder.",
    )


def _unchanged(document: dict[str, Any]) -> dict[str, Any]:
    return document


# Format 2 adds `warnings`, format 3 `language`; they change nothing.
_FORMAT = Format("format", MANIFEST_FORMAT, _damaged, RunDamaged, migrations={1: _unchanged, 2: _unchanged})


def versions() -> dict[str, str]:
    """Versions of Arpent, Python and those heavy libraries that this process has loaded, by name."""
    found = {"arpent": __version__, "python": platform.python_version()}
    rasterio = sys.modules.get("rasterio")
    if rasterio is not None:
        found["gdal"] = str(rasterio.__gdal_version__)
    for name in ("numpy", "torch", "rasterio", "openvino", "onnxruntime", "timm", "transformers"):
        module = sys.modules.get(name)
        if module is not None:
            found[name] = str(module.__version__)
    return found
