"""How long threads that compute wait for each other before they leave the processor to others."""

from __future__ import annotations

from collections.abc import MutableMapping

__all__ = ["wait_briefly"]

_TURNS = "1000"
_SAID = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def wait_briefly(environment: MutableMapping[str, str]) -> None:
    """Threads of PyTorch go to sleep where they wait for one that has no core, unless the environment says otherwise.

    As they come they spin for milliseconds at the end of each piece of work. On idle cores that gains little; where
    others compute too, those for which they wait get no core for it, and a training takes several times as long.

    Args:
        environment: of the process, before PyTorch is loaded, or of one that is to be started.
    """
    if not any(name in environment for name in _SAID):
        environment["GOMP_SPINCOUNT"] = _TURNS
