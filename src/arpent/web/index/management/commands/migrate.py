"""``manage.py migrate``: Django's own command, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands.migrate import Command as Migrate
from django.db import connections, transaction
from django.db.migrations.executor import MigrationExecutor

__all__ = ["Command"]

_MIGRATING = 0x617270656E74  # "arpent": the lock of those who migrate one PostgreSQL database


class Command(Migrate):
    """Brings the database to the form that this version expects.

    Left to itself, Django commits the tables of a migration before it notes that one: what is killed in between finds
    tables, and no note of them, ever after. Where nothing is to be done, nothing is locked: SQLite has one writer, and
    the map starts while another program is that one.
    """

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as Django calls it
        """Migrates in one transaction, unless it is asked for a look alone or finds nothing to do."""
        is_look = options["plan"] or options["check_unapplied"]
        if is_look or (options["app_label"] is None and not _is_behind(options["database"])):
            super().handle(*args, **options)
            return
        with _wholly(options["database"]):
            super().handle(*args, **options)


def _is_behind(database: str) -> bool:
    executor = MigrationExecutor(connections[database])
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


@contextmanager
def _wholly(database: str) -> Iterator[None]:
    """All migrations, and the notes of them, in one transaction; of several processes, one after the other."""
    connection = connections[database]
    # SQLite lets no table be altered while keys are checked, and turns that off outside of transactions only.
    with connection.constraint_checks_disabled(), transaction.atomic(using=database):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_MIGRATING])
        yield
