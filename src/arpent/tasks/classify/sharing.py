"""Labels given in another process: how a worker of a cluster opens a labeller."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from arpent.errors import BundleInvalid, FileMissing
from arpent.tasks.classify.asking import Asked
from arpent.tasks.classify.label_work import LabelWork
from arpent.tasks.classify.predict_settings import LabelSettings

__all__ = ["open_labelling"]


def open_labelling(
    model: Path, identity: str, settings: LabelSettings, first: Path | None, opened: ExitStack
) -> LabelWork:
    """The work in a worker.

    Args:
        model: the bundle.
        identity: of the bundle.
        settings: how, with the runtime and the device of the workers.
        first: a picture that must be there: without it, this node sees none of them.
        opened: what is to be closed; nothing is.

    Raises:
        BundleInvalid: another model lies there.
        FileMissing: the pictures are not here.
    """
    if first is not None and not first.exists():
        raise FileMissing(f"there is no {first}", cure="Give all nodes the same pictures.")
    labeller = Asked.open(model, runtime=settings.runtime, device=settings.device, precision=settings.precision)
    found = labeller.opened.identity
    if found != identity:
        raise BundleInvalid(
            f"another model lies at {model}", found=found, expected=identity, cure="Give all nodes the same."
        )
    return LabelWork(labeller, settings.language)
