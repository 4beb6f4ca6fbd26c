"""The tables of the models, and what the database needs beside them."""

from __future__ import annotations

from typing import Any, ClassVar

import django.db.models.deletion
from django.db import migrations, models

from arpent.web.index import postgis, sqlite

__all__ = ["Migration"]


def _beside(apps: Any, editor: Any) -> None:  # noqa: ANN401 - django publishes no types
    """Boxes and words, in the way of the database at hand."""
    del apps
    schema = sqlite.SCHEMA if editor.connection.vendor == "sqlite" else postgis.SCHEMA
    for statement in schema:
        editor.execute(statement)


def _without(apps: Any, editor: Any) -> None:  # noqa: ANN401 - django publishes no types
    """The way back."""
    del apps
    for statement in sqlite.UNDONE if editor.connection.vendor == "sqlite" else postgis.UNDONE:
        editor.execute(statement)


class Migration(migrations.Migration):
    """The first."""

    initial = True

    dependencies: ClassVar[list[Any]] = []

    operations: ClassVar[list[Any]] = [
        migrations.CreateModel(
            name="Feature",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("west", models.FloatField()),
                ("south", models.FloatField()),
                ("east", models.FloatField()),
                ("north", models.FloatField()),
                ("wkb", models.BinaryField()),
                ("properties", models.TextField()),
                ("texts", models.TextField(default="")),
                ("words", models.TextField(default="")),
                ("parcel", models.TextField(default="")),
                ("place", models.TextField(default="")),
                ("image", models.TextField(default="")),
                ("taken", models.DateField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Frame",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("place", models.IntegerField()),
                ("date", models.DateField(null=True)),
                ("horizon", models.IntegerField(null=True)),
                ("observed", models.BooleanField(default=True)),
                ("band", models.IntegerField(default=1)),
                ("file", models.TextField()),
                ("display", models.TextField(default="")),
                ("digest", models.CharField(max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name="Layer",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("place", models.IntegerField()),
                ("key", models.TextField()),
                ("name", models.TextField()),
                ("kind", models.CharField(max_length=20)),
                ("source", models.CharField(max_length=6)),
                ("title_en", models.TextField()),
                ("title_fr", models.TextField()),
                ("west", models.FloatField()),
                ("south", models.FloatField()),
                ("east", models.FloatField()),
                ("north", models.FloatField()),
                ("minzoom", models.IntegerField(default=0)),
                ("maxzoom", models.IntegerField(default=22)),
                ("issue", models.DateField(null=True)),
                ("bands", models.JSONField(default=list)),
                ("legend", models.JSONField(default=dict)),
                ("skill", models.JSONField(null=True)),
                ("warnings", models.JSONField(default=list)),
                ("words", models.TextField()),
            ],
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("path", models.TextField(unique=True)),
                ("digest", models.CharField(max_length=64)),
                ("name", models.TextField()),
                ("task", models.TextField()),
                ("created", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="State",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.BigIntegerField(default=1)),
            ],
        ),
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
        migrations.AddField(
            model_name="feature",
            name="frame",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="features", to="index.frame"
            ),
        ),
        migrations.AddField(
            model_name="frame",
            name="layer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="frames", to="index.layer"
            ),
        ),
        migrations.AddField(
            model_name="feature",
            name="layer",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="features", to="index.layer"
            ),
        ),
        migrations.AddField(
            model_name="layer",
            name="run",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="layers", to="index.run"),
        ),
        migrations.AddIndex(
            model_name="feature",
            index=models.Index(fields=["frame", "id", "west", "east", "south", "north"], name="feature_by_frame"),
        ),
        migrations.AddIndex(
            model_name="feature",
            index=models.Index(fields=["layer", "id"], name="feature_by_layer"),
        ),
        migrations.AddIndex(
            model_name="feature",
            index=models.Index(fields=["parcel", "place"], name="feature_by_parcel"),
        ),
        migrations.AddIndex(model_name="vector", index=models.Index(fields=["matrix", "row"], name="vector_by_row")),
        migrations.RunPython(_beside, _without),
    ]
