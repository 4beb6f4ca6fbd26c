"""The map as a program: database brought up to date, then served until somebody stops it."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from arpent.errors import ExtraMissing, InvalidSetting

__all__ = ["Address", "migrate", "serve", "served_beside", "set_up"]

_THREADS = 8
_CONNECTIONS = 400
_SECONDS = 60  # that a browser may be silent
_BODY = 2 << 20  # bytes of a request


@dataclass(frozen=True, slots=True)
class Address:
    """Where the map is served."""

    host: str
    port: int

    def __str__(self) -> str:
        host = "localhost" if self.host in ("127.0.0.1", "0.0.0.0", "::1", "::") else self.host  # noqa: S104 - compared
        return f"http://{host}:{self.port}"


def set_up() -> None:
    """Makes Django ready in this process; environment variables say how.

    Raises:
        ExtraMissing: Django is not installed.
        InvalidSetting: a variable says what cannot be.
    """
    try:
        import django
        import waitress  # noqa: F401 - asked for now, not when everything else is done
    except ModuleNotFoundError:
        raise ExtraMissing.of("web", "the map") from None
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arpent.web.site.settings")
    django.setup()


def migrate() -> None:
    """Brings the database to the form that this version expects.

    Raises:
        DeviceMissing: the database cannot be used.
    """
    from django.core.management import call_command

    from arpent.web.index.failing import database_told

    with database_told():
        call_command("migrate", verbosity=0, interactive=False)


def serve(address: Address, ready: Callable[[Address], object]) -> None:
    """Serves the map until it is interrupted.

    Args:
        address: where; port 0 is any that is free.
        ready: told the address as soon as the map can be reached.

    Raises:
        InvalidSetting: nobody may listen there, or somebody does; or strangers would be served without a key.
    """
    from django.conf import settings

    from arpent.web.site.guard import check_address
    from arpent.web.site.memory import settle
    from arpent.web.site.shelves import close, make_room

    check_address(address.host, settings.ENVIRONMENT)
    settle()
    make_room()
    listening = _listening(address)
    server = _server(listening)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end)
    ready(Address(address.host, int(listening.getsockname()[1])))
    try:
        server.run()  # comes back when it is interrupted
    finally:
        server.close()
        close()


@contextmanager
def served_beside() -> Iterator[str]:
    """The address of the map, which a thread beside the caller serves to this machine for as long as it is needed."""
    from arpent.web.site.shelves import close

    listening = _listening(Address("127.0.0.1", 0))
    server = _server(listening)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield str(Address("127.0.0.1", int(listening.getsockname()[1])))
    finally:
        server.close()
        thread.join(10)
        close()


def _server(listening: socket.socket) -> Any:  # noqa: ANN401 - waitress publishes no types
    from waitress import create_server

    from arpent.web.site.wsgi import application

    return create_server(
        application,
        sockets=[listening],
        threads=_THREADS,
        connection_limit=_CONNECTIONS,
        channel_timeout=_SECONDS,
        max_request_body_size=_BODY,
        # A server before this one, on this machine, may say that it speaks TLS; nobody else may say anything.
        # Not who asks: many pass on what a stranger wrote there, who would go around the brake on passwords with it.
        trusted_proxy="127.0.0.1",
        trusted_proxy_headers={"x-forwarded-proto"},
        clear_untrusted_proxy_headers=True,
        asyncore_use_poll=True,  # select() fails at the first connection whose number is above 1023
        ident=None,
    )


def _listening(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family)
    except OSError as problem:
        raise _refused(address, problem) from problem


def _end(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise SystemExit(0)


def _refused(address: Address, problem: OSError) -> InvalidSetting:
    if problem.errno == errno.EADDRINUSE:
        return InvalidSetting(
            f"port {address.port} is taken",
            found="another program there",
            cure="Stop it, or choose another: --port 8001.",
        )
    return InvalidSetting(
        f"the map cannot listen at {address.host}, port {address.port}",
        found=problem.strerror or str(problem),
        cure="Choose another --host or --port.",
    )
