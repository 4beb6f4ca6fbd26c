"""The capabilities as functions, and the run that each of them gives back: ``import arpent as ap``.

Each function does what the command of its name does, by the same code, with the same settings by the same names, and
fails with the same errors. What it gives back is a `Run`: a folder on the disk with a few ways to look at it. A run
that was made elsewhere, or yesterday, is opened by `open_run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arpent.core.lazy import on_demand

if TYPE_CHECKING:
    from arpent.api.capabilities import change, classify, describe, forecast, landcover
    from arpent.api.runs import Products, Run, open_run
    from arpent.store import Place

__all__ = ["Place", "Products", "Run", "change", "classify", "describe", "forecast", "landcover", "open_run"]

__getattr__ = on_demand(
    __name__,
    {
        "capabilities": ("Place", "change", "classify", "describe", "forecast", "landcover"),
        "runs": ("Products", "Run", "open_run"),
    },
)
