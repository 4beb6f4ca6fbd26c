from __future__ import annotations

import errno
import re
from http import HTTPStatus
from pathlib import Path

import pytest

import arpent.cli.exits as exits
from arpent.cli.exits import BUG, EXIT_CODES, exit_code, in_our_words
from arpent.errors import (
    ArpentError,
    DiskFull,
    EnvironmentLack,
    ExtraMissing,
    FileMissing,
    InputError,
    Interrupted,
    NotWritable,
    RunLocked,
    UnknownName,
)
from arpent.web.statuses import STATUSES, status_of


def leaves(kind: type[ArpentError] = ArpentError) -> list[type[ArpentError]]:
    below = [leaf for child in kind.__subclasses__() for leaf in leaves(child)]
    return below or [kind]


@pytest.mark.parametrize("leaf", leaves(), ids=lambda leaf: leaf.__name__)
def test_every_leaf_of_the_tree_has_an_exit_code_and_a_status(leaf: type[ArpentError]) -> None:
    assert exit_code(leaf) in EXIT_CODES.values()
    assert any(ancestor in STATUSES for ancestor in leaf.__mro__)
    assert 200 <= status_of(leaf) < 600


def test_every_branch_has_a_code_of_its_own() -> None:
    assert set(EXIT_CODES) == set(ArpentError.__subclasses__())
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)


def test_an_error_without_a_row_is_a_defect() -> None:
    assert exit_code(ArpentError) == BUG
    assert status_of(ArpentError) == HTTPStatus.INTERNAL_SERVER_ERROR


def test_the_nearest_ancestor_decides() -> None:
    assert status_of(FileMissing) == HTTPStatus.NOT_FOUND
    assert status_of(InputError) == HTTPStatus.UNPROCESSABLE_ENTITY
    assert status_of(UnknownName) == HTTPStatus.NOT_FOUND
    assert status_of(RunLocked) == HTTPStatus.LOCKED
    assert exit_code(RunLocked) == 7


def test_the_documented_table_is_the_table() -> None:
    documented = {int(code) for code in re.findall(r"^(\d+) ", exits.__doc__ or "", re.MULTILINE)}
    assert documented == {0, *EXIT_CODES.values(), exits.BUG, exits.CLOSED_PIPE}


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left", "map.tif"), DiskFull),
        (OSError(errno.EDQUOT, "Quota exceeded", "map.tif"), DiskFull),
        (PermissionError(errno.EACCES, "Permission denied", "map.tif"), NotWritable),
        (OSError(errno.EROFS, "Read-only file system", "map.tif"), NotWritable),
        (MemoryError(), EnvironmentLack),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), EnvironmentLack),
        (RuntimeError("could not create a primitive"), EnvironmentLack),
        (RuntimeError("Internal Proj Error: SQLite error on SELECT: out of memory"), EnvironmentLack),
        (SystemError("<function read at 0x7f> returned NULL without setting an exception"), EnvironmentLack),
        (SystemError("error return without exception set"), EnvironmentLack),
        (ImportError("libX.so.6: failed to map segment from shared object"), EnvironmentLack),
        (OSError(errno.ENOMEM, "Cannot allocate memory", "map.tif"), EnvironmentLack),
        (KeyboardInterrupt(), Interrupted),
        (ModuleNotFoundError("no torch", name="torch.nn"), ExtraMissing),
        (ModuleNotFoundError("no ray", name="ray"), ExtraMissing),
    ],
)
def test_foreign_exceptions_are_told_in_our_words(problem: BaseException, expected: type[ArpentError]) -> None:
    told = in_our_words(problem)
    assert type(told) is expected
    assert told.cure
    if isinstance(problem, OSError) and expected is not EnvironmentLack:
        assert "map.tif" in str(told)


@pytest.mark.parametrize(
    "problem",
    [
        ValueError("x"),
        OSError(errno.EIO, "I/O error"),
        ModuleNotFoundError("no arpent.x", name="arpent.x"),
        SystemError("bad argument to internal function"),
        ImportError("cannot import name"),
    ],
)
def test_what_nobody_foresaw_stays_a_defect(problem: BaseException) -> None:
    assert in_our_words(problem) is None


@pytest.mark.parametrize("name", ["a" * 300, "a\0b"])
def test_a_name_that_no_file_can_have_is_said(name: str, tmp_path: Path) -> None:
    with pytest.raises((OSError, ValueError)) as met:
        (tmp_path / name).open()
    assert type(in_our_words(met.value)) is FileMissing


def test_our_own_errors_pass_unchanged() -> None:
    error = FileMissing("no file", cure="Look again.")
    assert in_our_words(error) is error
