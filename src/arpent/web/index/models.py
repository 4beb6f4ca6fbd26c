"""Tables of the index. Runs hold layers, layers frames; a frame of vectors holds features.

Numbers of runs, layers and frames are made from what the run holds (`stable_number`), so that an address or a permalink
means the same after the index was built anew. What is searched by place and by words lies in tables that the database
keeps up to date by itself: see the migrations.
"""

from __future__ import annotations

import hashlib

from django.db import models

__all__ = ["LARGEST", "Feature", "Frame", "Layer", "Matrix", "Run", "State", "Vector", "stable_number"]


LARGEST = (1 << 63) - 1
"""The largest number that a database holds; a larger one, in an address, is that of nothing."""


def stable_number(*parts: object) -> int:
    """A number below 2⁴⁸ that is always the same for the same parts; JavaScript can hold it."""
    text = "\0".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:6], "big")


class State(models.Model):
    """One row: the version of the index, which every change raises."""

    version = models.BigIntegerField(default=1)


class Run(models.Model):
    """A run folder that is registered."""

    id = models.BigIntegerField(primary_key=True)
    path = models.TextField(unique=True)
    digest = models.CharField(max_length=64)  # of the manifest
    name = models.TextField()
    task = models.TextField()
    language = models.CharField(max_length=2, default="en")  # of its warnings
    created = models.DateTimeField()


class Layer(models.Model):
    """What can be switched on and off; the fields are those of `arpent.web.layers.Layer`."""

    id = models.BigIntegerField(primary_key=True)
    run = models.ForeignKey(Run, models.CASCADE, related_name="layers")
    place = models.IntegerField()  # among the layers of its run
    key = models.TextField()
    name = models.TextField()
    kind = models.CharField(max_length=20)
    source = models.CharField(max_length=6)  # "raster" or "vector"
    title_en = models.TextField()
    title_fr = models.TextField()
    west = models.FloatField()
    south = models.FloatField()
    east = models.FloatField()  # less than west where the layer crosses the antimeridian
    north = models.FloatField()
    minzoom = models.IntegerField(default=0)
    maxzoom = models.IntegerField(default=22)
    issue = models.DateField(null=True)
    bands = models.JSONField(default=list)
    legend = models.JSONField(default=dict)
    skill = models.JSONField(null=True)
    warnings = models.JSONField(default=list)
    words = models.TextField()  # of name and titles, folded


class Frame(models.Model):
    """A layer on one date."""

    id = models.BigIntegerField(primary_key=True)
    layer = models.ForeignKey(Layer, models.CASCADE, related_name="frames")
    place = models.IntegerField()  # among the frames of its layer
    date = models.DateField(null=True)
    horizon = models.IntegerField(null=True)
    observed = models.BooleanField(default=True)
    band = models.IntegerField(default=1)
    file = models.TextField()  # of the run
    display = models.TextField(default="")  # raster for the screen, inside DATA_PATH
    digest = models.CharField(max_length=64)  # of what is shown


class Feature(models.Model):
    """A thing with an outline, in degrees."""

    layer = models.ForeignKey(Layer, models.CASCADE, related_name="features", db_index=False)
    frame = models.ForeignKey(Frame, models.CASCADE, related_name="features", db_index=False)
    west = models.FloatField()
    south = models.FloatField()
    east = models.FloatField()  # less than west where the outline crosses the antimeridian
    north = models.FloatField()
    wkb = models.BinaryField()
    properties = models.TextField()  # JSON
    texts = models.TextField(default="")  # JSON: {"en": [{"text", "measured"}], "fr": …}
    words = models.TextField(default="")  # what a search by words looks at, folded
    parcel = models.TextField(default="")  # these four tell which parcel it is, in every table of the same images
    place = models.TextField(default="")
    image = models.TextField(default="")
    taken = models.DateField(null=True)

    class Meta:
        """A page of features follows the last one seen."""

        indexes = (
            # With the boxes, so that the table itself need not be looked at to see what lies in a large one.
            models.Index(fields=["frame", "id", "west", "east", "south", "north"], name="feature_by_frame"),
            models.Index(fields=["layer", "id"], name="feature_by_layer"),
            models.Index(fields=["parcel", "place"], name="feature_by_parcel"),
        )


class Matrix(models.Model):
    """What an encoder has seen of the features of a file, in a file of vectors inside DATA_PATH."""

    layer = models.ForeignKey(Layer, models.CASCADE, related_name="matrices")
    encoder = models.TextField(db_index=True)
    file = models.TextField()
    rows = models.IntegerField()
    width = models.IntegerField()
    digest = models.CharField(max_length=64)


class Vector(models.Model):
    """Where the vector of a feature lies."""

    feature = models.OneToOneField(Feature, models.CASCADE, primary_key=True, related_name="vector")
    matrix = models.ForeignKey(Matrix, models.CASCADE, related_name="vectors", db_index=False)
    row = models.IntegerField()

    class Meta:
        """From a row to its feature."""

        indexes = (models.Index(fields=["matrix", "row"], name="vector_by_row"),)
