"""The language of a run, in which its warnings are; runs that the map knows are to be looked at again."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations, models

__all__ = ["Migration"]


def _look_again(apps: Any, schema_editor: Any) -> None:  # noqa: ANN401 - as Django calls it
    """Empties the digests: which language a run speaks, only its folder says."""
    apps.get_model("index", "Run").objects.using(schema_editor.connection.alias).update(digest="")


class Migration(migrations.Migration):
    """The second."""

    dependencies: ClassVar[list[Any]] = [("index", "0001_initial")]

    operations: ClassVar[list[Any]] = [
        migrations.AddField("run", "language", models.CharField(max_length=2, default="en")),
        migrations.RunPython(_look_again, migrations.RunPython.noop),
    ]
