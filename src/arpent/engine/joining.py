"""Joining a Ray cluster, and how many workers it has room for."""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from types import ModuleType
from typing import Any

import torch

from arpent.errors import ClusterLost, InvalidSetting

__all__ = ["check_share", "imported", "join", "nodes_for", "placed_on", "places", "room"]

_UNJOINED = (ConnectionError, RuntimeError, ValueError, TimeoutError)
"""What Ray raises where there is no cluster, or none that takes this process in."""

_FINEST = 1e-4
"""The smallest share of a GPU that Ray knows."""


def imported() -> ModuleType:
    """Ray, which is imported when it is needed, and tells nobody that it is."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    return ray


def join(ray: ModuleType, address: str | None) -> None:
    """Joins a cluster, or starts one of this machine alone.

    Raises:
        ClusterLost: there is none, or none that can be joined.
    """
    # Ray takes this signal for itself; it stays whose it was.
    mine = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    own: dict[str, Any] = {"address": "local", "_node_ip_address": "127.0.0.1"}
    chosen = own if address is None else {"address": address}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **chosen)
    except Exception as problem:
        # Ray raises the bare class where a node does not come up in time.
        if type(problem) is not Exception and not isinstance(problem, _UNJOINED):
            raise
        where = "on this machine" if address is None else f"at {address}"
        raise ClusterLost(
            f"no Ray cluster can be joined {where}",
            found=str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__,
            cure="Start one with 'ray start --head', give its address, and set RAY_AUTH_MODE=token if it has a token.",
        ) from problem
    finally:
        if mine:
            signal.signal(signal.SIGTERM, before)


def check_share(gpus: float) -> None:
    """Refuses a number of GPUs for each worker that Ray cannot give.

    Raises:
        InvalidSetting: it is less than nothing, or more than one and not whole.
    """
    if gpus and (gpus < _FINEST or (gpus > 1 and gpus != int(gpus))):
        raise InvalidSetting(
            "a worker cannot have so many GPUs",
            found=f"{gpus:g}",
            expected="1, 2 …, or a part such as 0.5",
            cure="Correct --gpus.",
        )


def places(ray: ModuleType, gpus: float) -> int:
    """How many workers with so many GPUs each the living nodes have place for; a worker lies on one node."""
    found = [node["Resources"].get("GPU", 0.0) for node in ray.nodes() if node["Alive"]]
    return sum(int(count / gpus + _FINEST) for count in found)


def room(ray: ModuleType, workers: int, gpus: float) -> int:
    """How many workers the cluster has room for, or as many as are asked for.

    Args:
        ray: the library, which has joined a cluster.
        workers: that are asked for; 0 for any number.
        gpus: of each; 0 for workers that compute on the CPU, of which there may be more than cores.

    Raises:
        InvalidSetting: there is no place for so many with so many GPUs, which they would wait for in vain.
    """
    if not gpus:
        cores = ray.cluster_resources().get("CPU", 1)
        return workers or max(1, int(cores // torch.get_num_threads()))
    there, most = ray.cluster_resources().get("GPU", 0.0), places(ray, gpus)
    if most < max(workers, 1):
        apart = " on one node" if gpus > 1 else ""
        raise InvalidSetting(
            "the cluster has too few GPUs" + (f" for {workers} workers" if workers > 1 else " for a worker"),
            found=f"{there:g}, enough for {most}" if most else f"{there:g}",
            expected=f"{gpus:g} for each{apart}",
            cure="Ask for fewer with --gpus or --workers, or compute on CPUs: --device cpu.",
        )
    return workers or most


def nodes_for(ray: ModuleType, count: int) -> list[str]:
    """The node of each of so many workers that compute on cores: all have about as many cores for themselves.

    Raises:
        ClusterLost: no node has a core.
    """
    cores = {node["NodeID"]: node["Resources"].get("CPU", 0.0) for node in ray.nodes() if node["Alive"]}
    load = {node: 0 for node, there in cores.items() if there}
    if not load:
        raise ClusterLost("no node of the cluster has a core", cure="Start one, with 'ray start --address'.")
    chosen = []
    for _ in range(count):
        node = min(load, key=lambda node: (load[node] + 1) / cores[node])
        load[node] += 1
        chosen.append(node)
    return chosen


def placed_on(node: str) -> Any:  # noqa: ANN401 - Ray's
    """How Ray places a worker that is to lie on this node, or on another one where this one is full or lost.

    Left to itself, Ray lays several workers on one node and none on others: it counts the core that a worker needs to
    begin as free again before the next one is placed.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node, soft=True, _spill_on_unavailable=True)
