"""How a command ends: one table from errors to exit codes, and errors of others told in the house's words.

====  =============================================================================
code  meaning
====  =============================================================================
0     done
2     a setting, option or name cannot be used (`ConfigError`, wrong usage)
3     an image, table or vector file cannot be used (`InputError`)
4     a model bundle, its weights or its contract (`ModelError`)
5     samples and splits (`DatasetError`)
6     a training run that cannot go on (`TrainingError`)
7     results cannot be kept (`OutputError`)
8     this machine lacks something: a library, a device, memory (`EnvironmentLack`)
9     some items failed, the others are done (`PartialFailure`)
70    a defect of Arpent
130   stopped by the user (`Interrupted`)
141   whoever read the output closed it (``arpent … | head``)
====  =============================================================================
"""

from __future__ import annotations

import errno

from arpent.errors import (
    ArpentError,
    ConfigError,
    DatasetError,
    EnvironmentLack,
    ExtraMissing,
    FileMissing,
    InputError,
    Interrupted,
    ModelError,
    OutputError,
    PartialFailure,
    TrainingError,
)

__all__ = ["BUG", "CLOSED_PIPE", "EXIT_CODES", "USAGE", "exit_code", "in_our_words"]

USAGE = 2
"""The command line itself is wrong."""

BUG = 70
"""An exception that nobody foresaw."""

CLOSED_PIPE = 141
"""128 + SIGPIPE, as a shell reports it for other programs."""

EXIT_CODES: dict[type[ArpentError], int] = {
    ConfigError: USAGE,
    InputError: 3,
    ModelError: 4,
    DatasetError: 5,
    TrainingError: 6,
    OutputError: 7,
    EnvironmentLack: 8,
    PartialFailure: 9,
    Interrupted: 130,
}

_EXTRA_OF_MODULE = {
    "accelerate": "learn",
    "segmentation_models_pytorch": "learn",
    "tensorboard": "learn",
    "timm": "learn",
    "torch": "learn",
    "torchvision": "learn",
    "peft": "language",
    "transformers": "language",
    "django": "web",
    "leaflet": "web",
    "ninja": "web",
    "waitress": "web",
    "whitenoise": "web",
    "onnx": "fast",
    "onnxruntime": "fast",
    "openvino": "fast",
    "ray": "cluster",
    "xarray": "xarray",
}


_NO_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "can't start new thread",
    "could not create a primitive",  # the library beneath torch's convolutions
    "failed to map segment from shared object",  # a library that is loaded at first use
    "returned NULL without setting an exception",  # Python itself, where there was no room for the exception
    "error return without exception set",
)
"""What those say that have no exception of their own for it."""


def exit_code(error: type[ArpentError]) -> int:
    """The code of an error class: its own, or that of its nearest ancestor in the table."""
    for ancestor in error.__mro__:
        if ancestor in EXIT_CODES:
            return EXIT_CODES[ancestor]
    return BUG


def in_our_words(problem: BaseException) -> ArpentError | None:
    """The Arpent error that says what another library's exception means; None if nobody foresaw it."""
    if isinstance(problem, ArpentError):
        return problem
    if isinstance(problem, KeyboardInterrupt):
        return Interrupted(
            "stopped on request", cure="No unfinished product is left in place; run the command again when you like."
        )
    if _is_no_memory(problem):
        return EnvironmentLack(
            "this machine has not enough memory for that",
            cure="Use smaller tiles or batches, or close other programs.",
        )
    if isinstance(problem, ModuleNotFoundError) and problem.name:
        extra = _EXTRA_OF_MODULE.get(problem.name.partition(".")[0])
        return ExtraMissing.of(extra, "this command") if extra else None
    if _is_no_name(problem):
        return FileMissing(
            "no file can have that name", found=str(problem)[:120], cure="Check the paths you have given."
        )
    if isinstance(problem, OSError):
        # Imported here: `core` brings numpy along, which a healthy command may not need.
        from arpent.core.writing import output_error

        return output_error(problem, problem.filename or "the output")
    return None


def _is_no_memory(problem: BaseException) -> bool:
    """Whether memory was used up, in whatever library."""
    if isinstance(problem, OSError):
        return problem.errno == errno.ENOMEM
    if isinstance(problem, RuntimeError | SystemError | ImportError):
        return any(words in str(problem) for words in _NO_MEMORY)
    return isinstance(problem, MemoryError)


def _is_no_name(problem: BaseException) -> bool:
    """Whether the system has refused a path for what it is: too long, or with a zero in it."""
    if isinstance(problem, OSError):
        return problem.errno == errno.ENAMETOOLONG
    return isinstance(problem, ValueError) and "embedded null" in str(problem)
