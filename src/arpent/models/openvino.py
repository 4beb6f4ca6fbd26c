"""The one place that imports OpenVINO, so that using it tells nobody. No torch here."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["openvino"]

_REPORTER = "openvino_telemetry"


def openvino() -> Any:  # noqa: ANN401 - OpenVINO publishes no types
    """The module ``openvino``, with its reports to its maker switched off for the rest of this process.

    On its own, OpenVINO starts threads and processes that send usage data when it is imported and at every
    conversion, and keeps a client number in ``~/intel``. Its documented refusal is a file in the home folder, which is
    not ours to write. Instead, the package that reports is made unimportable before OpenVINO looks for it: OpenVINO
    treats it as optional and has a silent stand-in. A program that imported OpenVINO itself, before Arpent, has chosen
    for itself.

    Raises:
        ImportError: OpenVINO is not installed, or cannot be loaded.
    """
    if _REPORTER not in sys.modules:
        # None is what Python's import system keeps for a module that must not be found.
        sys.modules[_REPORTER] = None  # type: ignore[assignment]
    import openvino

    return openvino
