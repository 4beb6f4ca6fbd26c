"""Nodes with other versions than the command: refused where they would make other bytes, told where they may."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

import arpent
from arpent.engine import Reading, made_ahead, on_cluster
from arpent.engine.software import node_and_versions, refuse_another_here, refuse_others, told_apart, versions_here
from arpent.engine.worker import Brief, Worker
from arpent.errors import ClusterLost

NEWER = '"""The version of this code."""\n\n__all__ = ["__version__"]\n\n__version__ = "9.8.7"\n'


def package(folder, **files):
    """A package that is Arpent in everything but these modules."""
    folder.mkdir()
    for path in Path(arpent.__file__).parent.iterdir():
        (folder / path.name).symlink_to(path)
    for name, text in files.items():
        (folder / f"{name}.py").unlink()
        (folder / f"{name}.py").write_text(text)


@contextmanager
def one_node(**variables):
    """Ray on this machine, whose workers have these variables."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'arpent[cluster]'")
    own = {"address": "local", "_node_ip_address": "127.0.0.1", "include_dashboard": False, "log_to_driver": False}
    theirs = {"env_vars": {"RAY_USAGE_STATS_ENABLED": "0", **variables}}
    ray.init(num_cpus=2, runtime_env=theirs, logging_level="ERROR", **own)
    try:
        yield
    finally:
        ray.shutdown()


def opened_number(opened):
    return lambda number: number


@pytest.mark.slow  # Ray is started, twice
@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"version": NEWER},
            r"the node \S+ has other versions .* \(found Arpent 9\.8\.7; expected Arpent .*\)\. Install the same",
        ),
        (
            {"errors": 'raise ImportError("a library is not there")\n'},
            r"a node of the cluster cannot start a worker \(found .*a library is not there.*\)\. Install the same",
        ),
    ],
    ids=["another", "none"],
)
def test_a_node_with_another_arpent_or_none_that_starts_is_refused(tmp_path, files, said):
    package(tmp_path / "arpent", **files)
    with (
        one_node(PYTHONPATH=str(tmp_path)),
        on_cluster(workers=1),
        pytest.raises(ClusterLost, match=said),
    ):
        list(made_ahead(opened_number, range(3), Reading(1, 1)))


@pytest.mark.slow  # Ray is started
def test_a_node_that_computes_with_other_instructions_is_told_of_and_works():
    here, said = versions_here()["instructions"], []
    if here == "DEFAULT":
        pytest.skip("this processor has no instructions of its own to leave out")
    with one_node(ATEN_CPU_CAPABILITY="default"), on_cluster(workers=2, tell=said.append):
        assert list(made_ahead(opened_number, range(3), Reading(1, 1))) == [0, 1, 2]
    (line,) = said  # for two workers of one node
    assert f"processors with DEFAULT (here {here}): the bytes may differ" in line


def test_this_machine_is_like_itself():
    here = versions_here()
    assert {"arpent", "python", "torch", "numpy", "gdal", "instructions"} <= set(here)
    refuse_others(node_and_versions(), here)
    refuse_another_here(here)
    assert told_apart(node_and_versions(), here) == ""


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("arpent", "0.0.1", "found Arpent 0.0.1; expected Arpent"),
        ("torch", "1.0.0+cpu", "found PyTorch 1.0.0; expected PyTorch"),
        ("python", "3.99.1", "found Python 3.99; expected Python 3."),
    ],
)
def test_another_release_is_refused(name, version, said):
    there = node_and_versions() | {name: version, "node": "field-7"}
    with pytest.raises(ClusterLost) as problem:
        refuse_others(there, versions_here())
    assert str(problem.value).startswith("the node field-7 has other versions") and said in str(problem.value)


def test_what_is_left_out_there_is_refused_too():
    there = {name: version for name, version in node_and_versions().items() if name != "torch"}
    with pytest.raises(ClusterLost, match="found PyTorch none"):
        refuse_others(there, versions_here())


def test_a_patch_of_python_and_a_build_of_pytorch_are_no_other_release():
    here = versions_here()
    python = ".".join(here["python"].split(".")[:2])
    release = here["torch"].partition("+")[0]
    there = node_and_versions() | {"python": f"{python}.99", "torch": f"{release}+else", "node": "field-7"}
    refuse_others(there, here)
    line = told_apart(there, here)
    assert line.startswith(f"the node field-7 has PyTorch {release}+else (here {here['torch']}): the bytes may differ")


def test_libraries_and_processors_that_differ_are_told():
    here = versions_here() | {"gdal": "3.10.0", "instructions": "AVX512", "timm": "1.0"}
    there = here | {"gdal": "3.8.4", "instructions": "AVX2", "node": "field-7"}
    refuse_others(there, here)
    assert "GDAL 3.8.4 (here 3.10.0), processors with AVX2 (here AVX512)" in told_apart(there, here)
    del there["timm"]
    assert "timm" not in told_apart(there, here), "what is needed and not there is said when it is needed"


def test_another_openvino_is_refused_where_it_computes(monkeypatch):
    pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install 'arpent[fast]'")
    here = versions_here() | {"openvino": "2000.1"}
    with monkeypatch.context() as without:
        without.delitem(sys.modules, "openvino")
        refuse_another_here(here)
    with pytest.raises(ClusterLost, match=r"expected OpenVINO 2000\.1"):
        refuse_another_here(here)


def test_a_worker_looks_itself_before_it_opens_a_work_and_once_more_when_that_is_loaded(tmp_path, monkeypatch):
    openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install 'arpent[fast]'")
    monkeypatch.chdir(tmp_path)
    opened = []

    def opener(stack):
        opened.append(True)
        sys.modules["openvino"] = openvino
        return len

    def asked_of(**others):
        monkeypatch.delitem(sys.modules, "openvino")
        worker = Worker(tmp_path, 1, versions_here() | others)
        return worker.do(Brief(0, lambda: opener), lambda work, turn, what: work(what), "four")

    assert asked_of() == 4 and len(opened) == 1
    with pytest.raises(ClusterLost, match=r"expected PyTorch 1\.0\)"):
        asked_of(torch="1.0")
    assert len(opened) == 1
    sys.modules["openvino"] = openvino
    with pytest.raises(ClusterLost, match=r"expected OpenVINO 2000\.1\)"):
        asked_of(openvino="2000.1")
    assert len(opened) == 2
