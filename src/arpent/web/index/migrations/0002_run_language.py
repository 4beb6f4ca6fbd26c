"""The language of a run, in which its warnings are."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations, models

__all__ = ["Migration"]


class Migration(migrations.Migration):
    """The second."""

    dependencies: ClassVar[list[Any]] = [("index", "0001_initial")]

    operations: ClassVar[list[Any]] = [
        migrations.AddField("run", "language", models.CharField(max_length=2, default="en")),
    ]
