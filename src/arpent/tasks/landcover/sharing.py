"""The same map in another process: how a worker of a cluster opens an image and its model."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime

from arpent.core import Contract
from arpent.engine import Job, Opener, PredictSettings, TileWork, plain_work
from arpent.models import Bundle, Origin
from arpent.tasks.landcover.acquisitions import told
from arpent.tasks.landcover.fitting import open_fitting
from arpent.tasks.landcover.settings import MapSettings
from arpent.tasks.landcover.task import LandcoverTask
from arpent.tasks.landcover.turning import TurnedTask

__all__ = ["MapElsewhere", "turned"]


@dataclass(frozen=True)
class MapElsewhere:
    """A map, as it is told to a worker.

    Attributes:
        image: anything that `io.open_image` reads.
        origin: of the model.
        sha256: of its file.
        contract: with which the image is opened.
        normalised: with which it is prepared.
        task: of the model.
        settings: how to map.
        taken: when the image was taken.
    """

    image: str
    origin: Origin
    sha256: str
    contract: Contract
    normalised: Contract
    task: LandcoverTask
    settings: MapSettings
    taken: datetime | None

    @classmethod
    def of(
        cls, image: str, loaded: Bundle, job: Job, task: LandcoverTask, settings: MapSettings
    ) -> MapElsewhere | None:
        """The map that a job makes; None for a model that was read from no file."""
        if loaded.origin is None or job.run.bundle is None:
            return None
        sha256, ready = job.run.bundle.sha256, job.bundle.contract
        return cls(image, loaded.origin, sha256, loaded.contract, ready, task, settings, job.taken)

    def openers(self, there: PredictSettings) -> Opener:
        """How it is opened with the runtime and the device of the workers."""
        own = self.settings.model_copy(update={"runtime": there.runtime, "device": there.device})
        return replace(self, settings=own).opened

    def opened(self, stack: ExitStack) -> TileWork:
        """The map in a worker."""
        loaded = Bundle(self.origin.again(self.sha256).model, self.contract)
        image = open_fitting(self.image, self.contract, self.settings)
        reader = stack.enter_context(image.reader)
        informed = told(loaded, image.own, self.settings, self.taken, reader.sensor)
        bundle = Bundle(informed.model, self.normalised)
        return plain_work(turned(self.task, self.settings), bundle, reader, self.settings)


def turned(task: LandcoverTask, settings: MapSettings) -> LandcoverTask | TurnedTask:
    """The task as it is run: on turned tiles too, where that is asked for."""
    return TurnedTask(task) if settings.tta == "d4" else task
