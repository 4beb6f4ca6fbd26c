"""The same comparison in another process: how a worker of a cluster opens a pair, or a series."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arpent.engine import Network, Opener, Pad, PredictSettings, TileWork
from arpent.models import Bundle, Origin
from arpent.store import RunFolder
from arpent.tasks.change.frames import Pair
from arpent.tasks.change.pair_network import Asked, check_model, start_pair_network
from arpent.tasks.change.pairing import PairImage
from arpent.tasks.change.settings import ChangeSettings
from arpent.tasks.change.task import ChangeTask

__all__ = ["as_read", "digest_of", "opener_of_pair", "padding", "started_again"]

Openers = Callable[[PredictSettings], Opener]

_STARTED: dict[str, Any] = {}
"""The last network that was started: the pairs of a list share theirs."""


def as_read(pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """A pair is read as the network takes it."""
    return np.asarray(pixels, np.float32)


def padding(image: PairImage, settings: ChangeSettings) -> Pad:
    """What the network sees beyond the edges of a pair."""
    return image.filled if settings.profile == "planaura" else image.mirrored


def opener_of_pair(run: RunFolder, pair: Pair, model: Bundle, settings: ChangeSettings, suffix: str) -> Openers | None:
    """How the comparison of a pair is opened in another process; None for a model that was read from no file."""
    if model.origin is None:
        return None
    origin = model.origin

    def opener(there: PredictSettings) -> Opener:
        own = settings.model_copy(update={"runtime": there.runtime, "device": there.device})
        return partial(_open_pair, pair, origin, digest_of(run, origin), own, suffix)

    return opener


def digest_of(run: RunFolder, origin: Origin) -> str:
    """The hash of the model of a run."""
    return origin.sha256() if run.bundle is None else run.bundle.sha256


def _open_pair(
    pair: Pair, origin: Origin, sha256: str, settings: ChangeSettings, suffix: str, opened: ExitStack
) -> TileWork:
    """The comparison of a pair; runs in a worker."""
    model = origin.again(sha256)
    planaura = check_model(model, len(pair.frames), settings)
    image = opened.enter_context(PairImage(pair, model.contract, settings))
    task = ChangeTask(planaura, image, settings, suffix)
    network = started_again(origin, sha256, task.asked, settings)
    return TileWork(task, network, image, as_read, padding(image, settings))


def started_again(origin: Origin, sha256: str, asked: Asked, settings: ChangeSettings) -> Network:
    """The network of a model; where the last one that this process has started was the same, that one."""
    how = settings.model_dump(include={"runtime", "device", "precision", "tile", "stride", "attention", "profile"})
    wanted = (origin, sha256, asked, how)
    if _STARTED.get("wanted") != wanted:
        _STARTED.clear()
        network = start_pair_network(origin.again(sha256), asked, settings, tiles=1)
        _STARTED.update(wanted=wanted, network=network)
    started: Network = _STARTED["network"]
    return started
