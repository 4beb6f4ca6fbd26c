"""How object stores are reached, as the environment variables of their own tools say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Access", "gs_access", "s3_access"]

_S3_ENDPOINTS = ("AWS_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_S3_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_GS_ENDPOINTS = ("CPL_GS_ENDPOINT", "STORAGE_EMULATOR_HOST")
_GS_CREDENTIALS = ("GOOGLE_APPLICATION_CREDENTIALS", "GS_ACCESS_KEY_ID", "GS_OAUTH2_REFRESH_TOKEN")


@dataclass(frozen=True)
class Access:
    """How a store is reached.

    Attributes:
        host: with its port; None for the provider's own.
        scheme: "https" or "http"; None where nothing says it.
        anonymous: whether requests go without a signature.
        virtual: whether the bucket's name is part of the host's; None where nothing says it.
    """

    host: str | None = None
    scheme: str | None = None
    anonymous: bool = False
    virtual: bool | None = None


def s3_access(environ: Mapping[str, str]) -> Access:
    """What the AWS_* variables say, as other tools understand them; without credentials, requests are not signed."""
    scheme, host = _endpoint(environ, _S3_ENDPOINTS)
    kept = environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    known = any(environ.get(name) for name in _S3_CREDENTIALS) or Path(kept).expanduser().is_file()
    virtual = environ.get("AWS_VIRTUAL_HOSTING")
    if virtual is not None:
        return Access(host, scheme, _anonymous(environ, "AWS", known=known), _yes(virtual))
    own = host is not None and "amazonaws.com" not in host
    return Access(host, scheme, _anonymous(environ, "AWS", known=known), False if own else None)


def gs_access(environ: Mapping[str, str]) -> Access:
    """What the GOOGLE_* and GS_* variables say; without credentials, requests are not signed."""
    scheme, host = _endpoint(environ, _GS_ENDPOINTS)
    kept = Path(environ.get("CLOUDSDK_CONFIG") or "~/.config/gcloud") / "application_default_credentials.json"
    known = any(environ.get(name) for name in _GS_CREDENTIALS) or kept.expanduser().is_file()
    return Access(host, scheme, _anonymous(environ, "GS", known=known))


def _endpoint(environ: Mapping[str, str], names: tuple[str, ...]) -> tuple[str | None, str | None]:
    given = next((environ[name] for name in names if environ.get(name)), None)
    if given is None:
        return None, None
    scheme, colon, host = given.rpartition("://")
    return (scheme if colon else None), host.rstrip("/")


def _anonymous(environ: Mapping[str, str], whose: str, *, known: bool) -> bool:
    said = environ.get(f"{whose}_NO_SIGN_REQUEST")
    return not known if said is None else _yes(said)


def _yes(word: str) -> bool:
    return word.strip().casefold() in {"yes", "true", "on", "1"}
