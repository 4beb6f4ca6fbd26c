"""GPUs of a Ray cluster: who gets which, and what is said where there are too few. Ray counts them, none is there."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from arpent.engine import Reading, hired, made_ahead, on_cluster, vigil
from arpent.engine import cluster as cluster_room
from arpent.engine.joining import check_share, nodes_for, places, room
from arpent.engine.runtime import start_network
from arpent.engine.software import versions_here
from arpent.engine.worker import Worker
from arpent.errors import ClusterLost, InvalidSetting

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'arpent[cluster]'")


@pytest.fixture(scope="module")
def nodes():
    """A node without any, and two that say that they have a GPU each."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 80 << 20, "node_ip_address": "127.0.0.1"}
    both = Cluster(initialize_head=True, head_node_args={**small, "num_gpus": 0, "include_dashboard": False})
    try:
        with_gpus = [both.add_node(**small, num_gpus=1) for _ in range(2)]
        ray.init(address=both.address, _node_ip_address="127.0.0.1", log_to_driver=False, logging_level="ERROR")
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield both, with_gpus
    finally:
        ray.shutdown()
        both.shutdown()


def opened_place(opened):
    """What tells a worker's node and GPUs."""

    def told(number):
        context = ray.get_runtime_context()
        return context.get_node_id(), tuple(context.get_accelerator_ids()["GPU"])

    return told


def told(numbers=range(8)):
    return list(made_ahead(opened_place, numbers, Reading(1, 1)))


def test_workers_on_gpus_have_one_each(nodes):
    _, with_gpus = nodes
    with on_cluster() as crew:
        assert hired().device_for("cuda").type == "cuda"
        found = set(told())
        assert len(crew.workers) == 2
    assert {node for node, _ in found} == {node.node_id for node in with_gpus}
    assert {gpus for _, gpus in found} == {("0",)}


def test_without_a_word_of_them_workers_leave_gpus_alone_and_that_is_noted(nodes):
    with on_cluster(workers=1) as crew:
        assert hired().device_for("auto").type == "cpu"
        assert {gpus for _, gpus in told()} == {()}
        assert crew.idle_gpus == 2
    with on_cluster(workers=1, gpus=0) as crew:
        assert hired().device_for("auto").type == "cpu"
        told()
        assert crew.idle_gpus == 0


@pytest.mark.parametrize(
    ("cores", "count", "chosen"),
    [
        ({"a": 1, "b": 1, "c": 1}, 2, "ab"),
        ({"a": 1, "b": 1, "c": 1}, 3, "abc"),
        ({"a": 2, "b": 4, "head": 0}, 6, "babbab"),
        ({"a": 1, "b": 1}, 5, "ababa"),
        ({"a": 16}, 3, "aaa"),
    ],
)
def test_workers_on_cores_lie_on_nodes_by_their_cores(cores, count, chosen):
    nodes = [{"NodeID": name, "Alive": True, "Resources": {"CPU": there}} for name, there in cores.items()]
    lost = {"NodeID": "lost", "Alive": False, "Resources": {"CPU": 64}}
    found = nodes_for(SimpleNamespace(nodes=lambda: [lost, *nodes]), count)
    assert "".join(found) == chosen


def test_workers_on_cores_of_a_cluster_without_any():
    with pytest.raises(ClusterLost, match="no node of the cluster has a core"):
        nodes_for(SimpleNamespace(nodes=lambda: [{"NodeID": "head", "Alive": True, "Resources": {"GPU": 1}}]), 1)


def test_workers_are_as_many_as_the_gpus_of_each_node_allow(nodes):
    assert [places(ray, share) for share in (1, 0.5, 0.3, 0.1, 2)] == [2, 4, 6, 20, 0]
    assert (room(ray, 0, 1), room(ray, 0, 0.5), room(ray, 3, 0.5), room(ray, 0, 0), room(ray, 9, 0)) == (2, 4, 3, 3, 9)


@pytest.mark.parametrize(
    ("workers", "gpus", "said"),
    [
        (0, 2.0, "too few GPUs for a worker (found 2; expected 2 for each on one node)"),
        (3, 1.0, "too few GPUs for 3 workers (found 2, enough for 2; expected 1 for each)"),
        (5, 0.5, "too few GPUs for 5 workers (found 2, enough for 4; expected 0.5 for each)"),
    ],
)
def test_gpus_that_no_node_has_are_not_waited_for(nodes, workers, gpus, said):
    with on_cluster(workers=workers, gpus=gpus), pytest.raises(InvalidSetting) as problem:
        hired().device_for("auto")
        told()
    assert said in str(problem.value)


def test_gpus_that_others_hold_are_not_waited_for_without_end(nodes, monkeypatch):
    monkeypatch.setattr(cluster_room, "_PLACING", 1.0)
    holders = [ray.remote(num_cpus=0, num_gpus=1)(Holder).remote() for _ in range(2)]
    assert ray.get([holder.there.remote() for holder in holders]) == [True, True]
    try:
        with on_cluster(gpus=1), pytest.raises(ClusterLost, match=r"no worker has found a place.*ray status"):
            hired().device_for("auto")
            told()
    finally:
        for holder in holders:
            ray.kill(holder)


@pytest.mark.slow  # two workers start, and a third one is waited for
def test_workers_that_others_leave_no_gpu_for_are_done_without_and_that_is_told(nodes, monkeypatch):
    said = []
    with on_cluster(workers=2, gpus=1, tell=said.append) as crew:
        hired().device_for("cuda")
        told()
        assert said == []
        monkeypatch.setattr(cluster_room, "_PLACING", 5.0)
        third = ray.remote(concurrency_groups={vigil.SIGNS: 1})(Worker).options(num_gpus=1, num_cpus=0)
        crew.workers[2] = third.remote(Path.cwd(), 1, versions_here())  # of two GPUs none is left for it
        crew._place()
        assert set(crew.workers) == {0, 1}
    (line,) = said
    assert line.startswith("1 of 3 workers have found no place on the cluster within 5 s ('ray status'")


class Holder:
    """Has a GPU, or a core."""

    def there(self):
        return True


@pytest.mark.parametrize(
    ("gpus", "device", "said"),
    [
        (1.0, "cpu", "--gpus and --device do not go together (found --gpus 1 --device cpu)"),
        (0.0, "cuda", "--gpus and --device do not go together (found --gpus 0 --device cuda)"),
        (None, "cuda:1", "Ray says which GPU a worker has (found device cuda:1; expected auto, cpu, cuda)"),
    ],
)
def test_gpus_and_devices_that_do_not_go_together(gpus, device, said):
    with on_cluster(gpus=gpus), pytest.raises(InvalidSetting) as problem:
        hired().device_for(device)
    assert said in str(problem.value)


def test_openvino_takes_no_gpu(model=None):
    pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install 'arpent[fast]'")
    with on_cluster(gpus=1), pytest.raises(InvalidSetting, match=r"OpenVINO runs on CPUs \(found --gpus\)"):
        start_network(model, "openvino")


@pytest.mark.parametrize("gpus", [1.5, -1, 0.00001])
def test_shares_that_ray_cannot_give(gpus):
    with pytest.raises(InvalidSetting, match="1, 2 …"):
        check_share(gpus)


@pytest.mark.faults
def test_a_worker_that_stands_still_is_told_of_and_begins_again(nodes, monkeypatch):
    monkeypatch.setattr(vigil, "_UTMOST", 20.0)  # longer than a worker takes to begin
    monkeypatch.setattr(cluster_room, "_LOOK", 0.5)
    said, stopped = [], []

    def numbers():
        for number in range(30):
            if number == 12:
                stopped.append(ray.get(crew.workers[0].process.remote()))
                os.kill(stopped[0], signal.SIGSTOP)
                wakes.start()
            yield number

    def wake():  # so that this test fails, and does not hang, where nobody ends it
        os.kill(stopped[0], signal.SIGCONT)

    wakes = threading.Timer(300, wake)
    with on_cluster(workers=2, tell=said.append) as crew:
        hired().device_for("cpu")
        assert list(made_ahead(opened_number, numbers(), Reading(1, 1))) == list(range(30))
        wakes.cancel()
        assert ray.get(crew.workers[0].process.remote()) != stopped[0]
    assert set(said) == {
        "worker 1 of the cluster gives no sign of life though there is room for it: "
        "it is ended, and begins again with its work"
    }


def opened_number(opened):
    return lambda number: number


@pytest.mark.faults
def test_a_node_with_a_gpu_that_is_lost_leaves_its_work_to_the_others_until_there_are_none(nodes, monkeypatch):
    both, with_gpus = nodes
    monkeypatch.setattr(cluster_room, "PATIENCE", 40.0)  # Ray takes half a minute to count a node as lost
    monkeypatch.setattr(vigil, "PATIENCE", 5.0)
    monkeypatch.setattr(vigil, "_UTMOST", 10.0)
    monkeypatch.setattr(cluster_room, "_LOOK", 0.5)
    take = [partial(both.remove_node, node, allow_graceful=False) for node in with_gpus]

    def numbers():
        for number in range(40):
            if number == 20:
                take[0]()
            yield number

    with on_cluster(gpus=1):
        hired().device_for("auto")
        assert len(told(numbers())) == 40
        take[1]()
        with pytest.raises(ClusterLost, match="no node of the cluster has a GPU"):
            for _ in range(60):  # its worker may outlive the node by a moment
                told()
                time.sleep(1)
