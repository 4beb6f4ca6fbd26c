"""All spectral indices that Arpent and spyndex both know, on the same float32 reflectances.

Results are to be equal to the rounding of float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from arpent.pixels import index_names, spectral_indices
from peer_ways.work import Result, Way, Work

__all__ = ["CONSTANTS", "LETTERS", "THEIRS", "WORK"]

THEIRS = {"NDRE": "NDREI", "CIre": "CIRE", "BSI": "BI", "NDTI": "NBR2"}
LETTERS = {
    "blue": "B", "green": "G", "red": "R", "nir": "N", "swir16": "S1", "swir22": "S2", "rededge071": "RE1",
    "rededge078": "RE3",
}  # fmt: skip
CONSTANTS = {"L": 0.5, "g": 2.5, "C1": 6.0, "C2": 7.5, "gamma": -1.0}  # of ARVI with the sign that their formula has
_NAMES = [name for name in index_names() if name != "LAI"]  # of which spyndex has none


def _prepare(folder: Path, quick: bool) -> str:
    side = 128 if quick else 1024
    rng = np.random.default_rng(0)
    values = {band: rng.uniform(0.02, 0.6, (side, side)).astype(np.float32) for band in LETTERS}
    np.savez(folder / "bands.npz", **values)
    return f"{len(_NAMES)} indices of {side} × {side} pixels"


def _bands(folder: Path) -> dict[str, Result]:
    with np.load(folder / "bands.npz") as kept:
        return {band: kept[band] for band in LETTERS}


def _arpent(folder: Path) -> Callable[[], Result]:
    bands = _bands(folder)
    return lambda: spectral_indices(_NAMES, bands)


def _spyndex(folder: Path) -> Callable[[], Result]:
    import spyndex

    bands = {LETTERS[band]: values for band, values in _bands(folder).items()}
    common = [name for name in _NAMES if name not in ("EVI", "EVI2", "CIre")]
    # L is one of the soil for some and 1 for others; near infrared is, for one, the last band of the red edge.
    calls: list[tuple[list[str], dict[str, object]]] = [
        (common, bands | CONSTANTS),
        (["EVI", "EVI2"], bands | CONSTANTS | {"L": 1.0}),
        (["CIre"], bands | {"N": bands["RE3"]}),
    ]

    def do() -> Result:
        found = {}
        for names, params in calls:
            made = spyndex.computeIndex([THEIRS.get(name, name) for name in names], params)
            found |= dict(zip(names, [made] if len(names) == 1 else made, strict=True))
        return np.stack([found[name] for name in _NAMES])

    return do


def _judge(folder: Path, ours: Result, theirs: Result) -> Mapping[str, float]:
    del folder
    close = np.isclose(ours, theirs, rtol=1e-4, atol=1e-5, equal_nan=True)
    return {"equal_share": float(close.mean())}


WORK = Work("spectral indices", _prepare, {"Arpent": Way(_arpent), "spyndex": Way(_spyndex, "spyndex")}, _judge)
