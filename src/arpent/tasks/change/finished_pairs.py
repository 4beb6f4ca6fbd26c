"""Which pairs of a list an earlier attempt has finished, so that a run that goes on does not compare them again."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from arpent.core import write_file, writing
from arpent.store import RunFolder
from arpent.store.manifest import Product
from arpent.tasks.change.frames import Pair

__all__ = ["FinishedPairs"]

_MOSAICS = "mosaics.json"


class _Record(BaseModel):
    """What a finished pair has left."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: str
    products: tuple[Product, ...]
    measured: Mapping[str, float | None] = {}


class FinishedPairs:
    """Notes in a run's scratch folder, one per finished pair; they stay where the run is finished in part.

    Args:
        run: under way.
    """

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._folder = run.kept
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)

    def remember(self, pair: Pair, suffix: str, products: Sequence[Product], measured: Mapping[str, float]) -> None:
        """Notes that a pair is finished, what it has given, and what was measured."""
        self._write(self._file(suffix), _Record(content=self._content(pair), products=products, measured=measured))

    def remember_mosaics(self, products: Sequence[Product]) -> None:
        """Notes the mosaics of the pairs that are there so far."""
        self._write(self._folder / _MOSAICS, _Record(content="", products=tuple(products)))

    def mosaics(self) -> tuple[Product, ...]:
        """The mosaics of an earlier attempt, which may have had other pairs."""
        record = self._record(self._folder / _MOSAICS)
        return record.products if record else ()

    def recall(self, pair: Pair, suffix: str) -> tuple[Product, ...] | None:
        """The products of a pair, taken over into the run; None where it is not finished, or has changed since."""
        record = self._record(self._file(suffix))
        if (
            record is None
            or record.content != self._content(pair)
            or not all(self._run.keep(product) for product in record.products)
        ):
            return None
        for number, frame in enumerate(pair.frames):
            last = number == len(pair.frames) - 1
            role = "image" if len(pair.frames) == 1 else "after" if last else "before"
            self._run.add_input(frame.image, role=role)
            if frame.quality is not None:
                self._run.add_input(frame.quality, role="quality")
        self._run.add_metrics({name: math.nan if value is None else value for name, value in record.measured.items()})
        return record.products

    def of(self, suffix: str) -> tuple[Product, ...]:
        """The products of a pair, whatever has become of them since it was finished; none where it was not."""
        record = self._record(self._file(suffix))
        return record.products if record else ()

    def _write(self, file: Path, record: _Record) -> None:
        write_file(file, record.model_dump_json())

    def _record(self, file: Path) -> _Record | None:
        try:
            return _Record.model_validate_json(file.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def _file(self, suffix: str) -> Path:
        return self._folder / f"{hashlib.sha256(suffix.encode()).hexdigest()[:16]}.json"

    def _content(self, pair: Pair) -> str:
        """What tells, without reading them, that model, images, layers and dates are still the same."""
        facts: list[object] = [self._run.bundle.sha256 if self._run.bundle else None]
        for frame in pair.frames:
            image = Path(frame.image)
            files = [image, image.with_name(f"fmask_{image.name}")]
            files += sorted(image.rglob("*")) if image.is_dir() else []
            facts += [frame.image, frame.date, frame.quality, frame.layer]
            facts += [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files if f.is_file()]
        return hashlib.sha256(repr(facts).encode()).hexdigest()
