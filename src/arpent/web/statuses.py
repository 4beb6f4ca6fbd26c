"""From errors to HTTP statuses: the one table that the map's answers are made with."""

from __future__ import annotations

from http import HTTPStatus

from arpent.errors import (
    ArpentError,
    ConfigError,
    ContractMismatch,
    DatasetError,
    DiskFull,
    EnvironmentLack,
    FileMissing,
    InputError,
    Interrupted,
    ModelError,
    NetworkMissing,
    OutputError,
    PartialFailure,
    RunExists,
    RunLocked,
    TrainingError,
    UnknownName,
)

__all__ = ["STATUSES", "status_of"]

STATUSES: dict[type[ArpentError], HTTPStatus] = {
    ConfigError: HTTPStatus.BAD_REQUEST,
    UnknownName: HTTPStatus.NOT_FOUND,
    InputError: HTTPStatus.UNPROCESSABLE_ENTITY,
    FileMissing: HTTPStatus.NOT_FOUND,
    ModelError: HTTPStatus.INTERNAL_SERVER_ERROR,
    ContractMismatch: HTTPStatus.UNPROCESSABLE_ENTITY,
    DatasetError: HTTPStatus.UNPROCESSABLE_ENTITY,
    TrainingError: HTTPStatus.INTERNAL_SERVER_ERROR,
    OutputError: HTTPStatus.INTERNAL_SERVER_ERROR,
    DiskFull: HTTPStatus.INSUFFICIENT_STORAGE,
    RunExists: HTTPStatus.CONFLICT,
    RunLocked: HTTPStatus.LOCKED,
    EnvironmentLack: HTTPStatus.SERVICE_UNAVAILABLE,
    NetworkMissing: HTTPStatus.BAD_GATEWAY,
    PartialFailure: HTTPStatus.MULTI_STATUS,
    Interrupted: HTTPStatus.SERVICE_UNAVAILABLE,
}


def status_of(error: type[ArpentError]) -> HTTPStatus:
    """The status of an error class: its own, or that of its nearest ancestor in the table."""
    for ancestor in error.__mro__:
        if ancestor in STATUSES:
            return STATUSES[ancestor]
    return HTTPStatus.INTERNAL_SERVER_ERROR
