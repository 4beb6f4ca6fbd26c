"""Vectors move from the database to files beside it."""

from __future__ import annotations

from typing import Any, ClassVar

import django.db.models.deletion
from django.db import migrations, models

__all__ = ["Migration"]


def _ask_again(apps: Any, editor: Any) -> None:  # noqa: ANN401 - django publishes no types
    """Runs with vectors stay on the map, and are registered anew when they are named next, or by ``rebuild``."""
    del editor
    layers = apps.get_model("index", "Vector").objects.values("feature__layer_id")
    apps.get_model("index", "Run").objects.filter(layers__in=layers).update(digest="")


class Migration(migrations.Migration):
    """The second."""

    dependencies: ClassVar[list[Any]] = [("index", "0001_initial")]

    operations: ClassVar[list[Any]] = [
        migrations.RunPython(_ask_again, migrations.RunPython.noop),
        migrations.DeleteModel("Vector"),
        migrations.CreateModel(
            name="Matrix",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "layer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="matrices", to="index.layer"
                    ),
                ),
                ("encoder", models.TextField(db_index=True)),
                ("file", models.TextField()),
                ("rows", models.IntegerField()),
                ("width", models.IntegerField()),
                ("digest", models.CharField(max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name="Vector",
            fields=[
                (
                    "feature",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="vector",
                        serialize=False,
                        to="index.feature",
                    ),
                ),
                (
                    "matrix",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="vectors",
                        to="index.matrix",
                    ),
                ),
                ("row", models.IntegerField()),
            ],
        ),
        migrations.AddIndex(model_name="vector", index=models.Index(fields=["matrix", "row"], name="vector_by_row")),
    ]
