"""A list of items as a run folder: do the work, publish every table, note what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import pyarrow as pa
from odc.geo.crs import CRS

from arpent.core import Language
from arpent.core.writing import writing
from arpent.engine.items import ItemOptions, ItemsDone, ItemWork, Memory, predict_items
from arpent.engine.job import table_sinks
from arpent.engine.ledger import Ledger
from arpent.language import say
from arpent.store import RunFolder

__all__ = ["ItemJob", "run_items"]

Item = TypeVar("Item")
Ready = TypeVar("Ready")


@dataclass(frozen=True)
class ItemJob(Generic[Item, Ready]):
    """A list of items, what is done with them, and a run folder for the rows that come of it.

    Attributes:
        work: names the products and does the work.
        items: in the order of the rows.
        run: where the products go.
        options: how the loop works; its fingerprint must hold all that decides the rows.
        schemas: of the rows, by product; a table that may stay empty needs one.
        crs: of geometries in the rows.
        memory: what the work carries from batch to batch, if it does.
        folder: for unfinished files and the ledger; jobs that share a run have one each. None: that of the run.
        language: of what the run is warned of.
        held: names of products that the caller publishes, or not at all; until then they lie in the folder.
    """

    work: ItemWork[Item, Ready]
    items: Sequence[Item]
    run: RunFolder
    options: ItemOptions = field(default_factory=ItemOptions)
    schemas: Mapping[str, pa.Schema] = field(default_factory=dict)
    crs: CRS | None = None
    memory: Memory | None = None
    folder: Path | None = None
    language: Language = "en"
    held: frozenset[str] = frozenset()


def run_items(job: ItemJob[Item, Ready]) -> ItemsDone:
    """Does the work, publishes all tables that are not held, and notes failed items in the run; the caller finishes it.

    Raises:
        The error of the item: there is only one, and it failed.
        PartialFailure: all of several items failed.
        Interrupted: by Ctrl-C; what is finished is kept.
    """
    folder = job.folder or job.run.scratch
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    done = predict_items(
        job.work,
        job.items,
        sinks=table_sinks(folder, job.run.path, job.crs, job.schemas),
        ledger=Ledger(folder),
        memory=job.memory,
        options=job.options,
    )
    if done.halved:
        job.run.warn(say("engine.halved", job.language, count=done.halved))
    for product in job.work.products():
        if product.name not in job.held:
            job.run.publish(done.files[product.name], kind="table", name=product.name)
    for failed in done.failures:
        job.run.add_failure(failed.name, failed.error)
    return done
