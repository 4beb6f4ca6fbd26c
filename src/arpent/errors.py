"""Every way in which Arpent can fail, in one tree.

An error says three things: what was found, what was expected, and the cure. ::

    ArpentError
    ├── InputError              an image, table or vector file cannot be used
    │   ├── FileMissing             nothing at that path or address
    │   ├── UnreadableFile          truncated, empty, or not the format its name says
    │   ├── GeoreferenceMissing     a place on earth is needed and the file names none
    │   ├── BandMismatch            the bands asked for are not those of the file
    │   ├── NoOverlap               two images share no ground
    │   └── NoValidPixels           every pixel is no-data or not a number
    ├── ConfigError             a setting, option or name cannot be used
    │   ├── UnknownSetting          a misspelt key; carries the nearest right one
    │   ├── InvalidSetting          the key is right, its value is not
    │   └── UnknownName             no model, sensor, nomenclature … of that name
    ├── ModelError              a bundle, its weights or its contract
    │   ├── BundleInvalid           not a bundle, damaged, or of a later format
    │   ├── ContractMismatch        the images do not fit what the model was made for
    │   ├── WeightsMismatch         missing, unexpected or misshapen tensors
    │   └── WeightsMissing          published weights that are not on this machine
    ├── DatasetError            samples and splits
    │   ├── EmptySplit              a split without samples
    │   └── SplitLeak               the same ground on both sides of a split
    ├── TrainingError           a training run that cannot go on
    │   ├── LossNotFinite           the loss became NaN or infinite
    │   ├── ProcessLost             another process of the same training has ended
    │   └── ProcessSilent           another process of the same training gives no sign of life
    ├── OutputError             results cannot be kept
    │   ├── DiskFull                no space left where the product is written
    │   ├── NotWritable             a folder or file that may not be written
    │   ├── RunExists               the run folder is there already
    │   ├── RunLocked               another process is writing this run
    │   └── RunDamaged              products that do not match their manifest
    ├── EnvironmentLack         this machine lacks something
    │   ├── ExtraMissing            an optional part of Arpent is not installed
    │   ├── DeviceMissing           no such GPU, or a runtime that cannot start
    │   ├── NetworkMissing          an address that cannot be reached
    │   └── ClusterLost             a Ray cluster that cannot be joined or used, or whose workers end again and again
    ├── PartialFailure          some items failed, the others are done
    └── Interrupted             stopped by the user; what is finished is kept
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ArpentError",
    "BandMismatch",
    "BundleInvalid",
    "ClusterLost",
    "ConfigError",
    "ContractMismatch",
    "DatasetError",
    "DeviceMissing",
    "DiskFull",
    "EmptySplit",
    "EnvironmentLack",
    "ExtraMissing",
    "FileMissing",
    "GeoreferenceMissing",
    "InputError",
    "Interrupted",
    "InvalidSetting",
    "LossNotFinite",
    "ModelError",
    "NetworkMissing",
    "NoOverlap",
    "NoValidPixels",
    "NotWritable",
    "OutputError",
    "PartialFailure",
    "ProcessLost",
    "ProcessSilent",
    "RunDamaged",
    "RunExists",
    "RunLocked",
    "SplitLeak",
    "TrainingError",
    "UnknownName",
    "UnknownSetting",
    "UnreadableFile",
    "WeightsMismatch",
    "WeightsMissing",
    "nearest",
]


_LISTED = 32
"""Names that an error lists before it shows the most similar ones only."""


class ArpentError(Exception):
    """Base of the tree. ``str(error)`` is the one line that a user reads.

    Args:
        what: the fact, as a short sentence without a full stop ("scene.tif has no band 'nir'").
        found: what is there.
        expected: what should be there.
        cure: what to do next, in the imperative.
    """

    def __init__(
        self,
        what: str,
        *,
        cure: str,
        found: object | None = None,
        expected: object | None = None,
    ) -> None:
        self.what = _one_line(what)
        self.found = found
        self.expected = expected
        self.cure = _one_line(cure)
        super().__init__(str(self))

    def __str__(self) -> str:
        facts = []
        if self.found is not None:
            facts.append(f"found {_one_line(str(self.found))}")
        if self.expected is not None:
            facts.append(f"expected {_one_line(str(self.expected))}")
        detail = f" ({'; '.join(facts)})" if facts else ""
        return f"{self.what}{detail}. {self.cure}"

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling, and errors cross process borders.
        return (_rebuild, (type(self), self.what, self.found, self.expected, self.cure))


def _rebuild(kind: type[ArpentError], what: str, found: object, expected: object, cure: str) -> ArpentError:
    return kind(what, found=found, expected=expected, cure=cure)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` most resembles, or None when nothing is close."""
    folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


class InputError(ArpentError):
    """An image, table or vector file cannot be used."""


class FileMissing(InputError):
    """Nothing at that path or address."""


class UnreadableFile(InputError):
    """Truncated, empty, or not the format its name says."""


class GeoreferenceMissing(InputError):
    """A place on earth is needed and the file names none."""


class BandMismatch(InputError):
    """The bands asked for are not those of the file."""


class NoOverlap(InputError):
    """Two images share no ground."""


class NoValidPixels(InputError):
    """Every pixel is no-data or not a number."""


class ConfigError(ArpentError):
    """A setting, option or name cannot be used."""


class UnknownSetting(ConfigError):
    """A misspelt key; carries the nearest right one."""

    @classmethod
    def among(cls, key: str, known: Iterable[str], where: str) -> UnknownSetting:
        """The error for `key`, unknown in `where`, with the nearest of `known` as its cure."""
        names = sorted(known)
        guess = nearest(key, names)
        cure = f"Did you mean '{guess}'?" if guess else f"Known settings: {', '.join(names)}."
        return cls(f"{where} has no setting '{key}'", cure=cure)


class InvalidSetting(ConfigError):
    """The key is right, its value is not."""


class UnknownName(ConfigError):
    """No model, sensor, nomenclature … of that name."""

    @classmethod
    def among(cls, name: str, known: Iterable[str], kind: str) -> UnknownName:
        """The error for `name`, which is none of the `known` names of this `kind`."""
        names = sorted(known)
        guess = nearest(name, names)
        # A library may know a thousand names; nobody reads those on one line.
        alike = names if len(names) <= _LISTED else difflib.get_close_matches(name, names, _LISTED // 4, 0.0)
        listed = f"Known: {', '.join(alike)}" + (
            "." if len(alike) == len(names) else f" and {len(names) - len(alike)} more."
        )
        cure = f"Did you mean '{guess}'? {listed}" if guess else listed if names else "There is none at all."
        return cls(f"no {kind} is called '{name}'", cure=cure)


class ModelError(ArpentError):
    """A bundle, its weights or its contract."""


class BundleInvalid(ModelError):
    """Not a bundle, damaged, or of a later format."""


class ContractMismatch(ModelError):
    """The images do not fit what the model was made for."""


class WeightsMismatch(ModelError):
    """Missing, unexpected or misshapen tensors."""


class WeightsMissing(ModelError):
    """Published weights that are not on this machine."""


class DatasetError(ArpentError):
    """Samples and splits."""


class EmptySplit(DatasetError):
    """A split without samples."""


class SplitLeak(DatasetError):
    """The same ground on both sides of a split."""


class TrainingError(ArpentError):
    """A training run that cannot go on."""


class LossNotFinite(TrainingError):
    """The loss became NaN or infinite."""


class ProcessLost(TrainingError):
    """Another process of the same training has ended."""


class ProcessSilent(TrainingError):
    """Another process of the same training gives no sign of life."""


class OutputError(ArpentError):
    """Results cannot be kept."""


class DiskFull(OutputError):
    """No space left where the product is written."""


class NotWritable(OutputError):
    """A folder or file that may not be written."""


class RunExists(OutputError):
    """The run folder is there already."""


class RunLocked(OutputError):
    """Another process is writing this run."""


class RunDamaged(OutputError):
    """Products that do not match their manifest."""


class EnvironmentLack(ArpentError):
    """This machine lacks something."""


class ExtraMissing(EnvironmentLack):
    """An optional part of Arpent is not installed."""

    @classmethod
    def of(cls, extra: str, purpose: str) -> ExtraMissing:
        """The error for an `extra` that `purpose` needs."""
        return cls(
            f"{purpose} needs the '{extra}' part of Arpent, which is not installed",
            cure=f"Install it: pip install 'arpent[{extra}]'.",
        )


class DeviceMissing(EnvironmentLack):
    """No such GPU, or a runtime that cannot start."""


class NetworkMissing(EnvironmentLack):
    """An address that cannot be reached."""


class ClusterLost(EnvironmentLack):
    """A Ray cluster that cannot be joined or used, or whose workers end again and again."""


class PartialFailure(ArpentError):
    """Some items failed, the others are done."""


class Interrupted(ArpentError):
    """Stopped by the user; what is finished is kept."""
