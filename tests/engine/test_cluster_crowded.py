"""A Ray cluster whose cores others hold: what becomes of workers that have lost their node, and of slow ones."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from arpent.engine import Reading, hired, made_ahead, on_cluster, vigil
from arpent.engine import cluster as cluster_room
from arpent.errors import ClusterLost

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'arpent[cluster]'")


@pytest.fixture
def nodes():
    """Three nodes of one core each that can be taken away, by their names, and one that has none and stays.

    What is taken is the node and not a worker's process: where that ends alone, Ray begins it again on the spot,
    whoever holds the core by then.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    small = {"object_store_memory": 80 << 20, "node_ip_address": "127.0.0.1"}
    together = Cluster(initialize_head=True, head_node_args={**small, "num_cpus": 0, "include_dashboard": False})
    try:
        added = [together.add_node(**small, num_cpus=1) for _ in range(3)]
        ray.init(address=together.address, _node_ip_address="127.0.0.1", log_to_driver=False, logging_level="ERROR")
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield Nodes(together, {node.node_id: node for node in added})
    finally:
        ray.shutdown()
        together.shutdown()


class Nodes:
    """Of a cluster; others hold all their cores, or none."""

    def __init__(self, together, added):
        self.together = together
        self.added = added
        self.holders = []

    def hold(self):
        self.holders = [ray.remote(num_cpus=1)(Holder).remote() for _ in self.added]
        assert all(ray.get([holder.there.remote() for holder in self.holders]))

    def free(self):
        for holder in self.holders:
            ray.kill(holder)
        self.holders = []

    def take(self, name):
        self.together.remove_node(self.added.pop(name), allow_graceful=False)


class Holder:
    """Has a core."""

    def there(self):
        return True


def opened_place(opened):
    """What tells a worker's process and its node."""
    return lambda number: (os.getpid(), ray.get_runtime_context().get_node_id())


def process_of(worker):
    return ray.get(worker.process.remote())


def wait_for_the_end(process):
    """Of a worker, which outlives its node by a moment, and still answers."""
    until = time.monotonic() + 60
    while Path("/proc", str(process)).exists():
        assert time.monotonic() < until
        time.sleep(0.1)


def places(numbers=range(8)):
    return list(made_ahead(opened_place, numbers, Reading(1, 1)))


@pytest.mark.slow  # workers start three times
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_lie_on_as_many_nodes_as_there_are(nodes, workers):
    with on_cluster(workers=workers):
        hired().device_for("cpu")
        found = set(places())
        assert len(found) == workers
        assert len({node for _, node in found}) == workers


@pytest.mark.faults
def test_a_worker_without_a_core_to_begin_again_on_is_told_of_and_leaves_its_work_to_the_others(nodes, monkeypatch):
    monkeypatch.setattr(vigil, "PATIENCE", 3.0)
    monkeypatch.setattr(cluster_room, "_LOOK", 0.5)
    said = []

    def numbers():
        for number in range(30):
            if number == 12:
                nodes.hold()
                nodes.take(lost)
                wait_for_the_end(process)
            yield number

    with on_cluster(workers=2, tell=said.append) as crew:
        hired().device_for("cpu")
        (process, lost), (_, kept) = sorted(set(places()), key=lambda place: place[0] != process_of(crew.workers[0]))
        answers = places(numbers())
        assert len(answers) == 30
        assert {node for _, node in answers[-8:]} == {kept}
        (line,) = said
        assert "worker 1 of the cluster gives no sign of life and waits for a free core ('ray status'" in line
        assert line.endswith("the others do its work")
        nodes.free()
        until = time.monotonic() + 120
        while len(said) < 2 and time.monotonic() < until:
            places()
        assert said[1:] == ["worker 1 of the cluster is there again"]
        monkeypatch.setattr(vigil, "_UTMOST", 6.0)
        processes = [process_of(worker) for worker in crew.workers.values()]
        for name in list(nodes.added):
            nodes.take(name)
        for process in processes:
            wait_for_the_end(process)
        with pytest.raises(ClusterLost, match=r"no node of the cluster has a free core .*ray status"):
            places()


def slow_place(opened):
    """What takes longer than a silent worker is waited for."""

    def told(number):
        time.sleep(4)
        return number

    return told


@pytest.mark.faults
def test_a_worker_that_is_only_slow_is_not_given_up_where_others_hold_all_cores(nodes, monkeypatch):
    monkeypatch.setattr(vigil, "PATIENCE", 1.0)
    monkeypatch.setattr(vigil, "_UTMOST", 2.0)
    monkeypatch.setattr(cluster_room, "_LOOK", 0.2)
    said = []
    with on_cluster(workers=1, tell=said.append):
        hired().device_for("cpu")
        places()
        nodes.hold()
        assert list(made_ahead(slow_place, range(2), Reading(1, 1))) == [0, 1]
    assert not said
