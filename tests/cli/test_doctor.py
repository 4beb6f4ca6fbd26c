from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from arpent.cli import doctor
from arpent.cli.doctor import Finding, examine
from arpent.models import shipped as shipping

Run = Callable[..., Any]


@pytest.fixture
def status(running: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """A server on loopback in the place of Hugging Face, which answers with a status."""
    answers = [200]

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(answers[0])
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    with running(server):
        yield lambda code: answers.__setitem__(0, code)


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {one.name: one for one in findings}


def test_a_sound_machine(arpent: Run, status: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARPENT_MODELS", str(tmp_path))
    said = arpent("doctor", "--json", "--folder", tmp_path)
    assert said.code == 0, said.err
    names = [one["name"] for one in said.document["findings"]]
    assert {"arpent", "gdal", "torch", "openvino", "processors", "memory", "models", "network"} <= set(names)
    assert all(one["advice"] for one in said.document["findings"] if one["state"] != "ok")
    found = {one["name"]: one["found"] for one in said.document["findings"]}
    import rasterio

    assert rasterio.__gdal_version__ in found["gdal"]
    assert str(tmp_path) in found["models"]
    assert "answers" in found["network"]
    assert "part [learn]" in arpent("doctor", "--offline").out


def test_a_refusal_is_an_answer(status: Run) -> None:
    status(403)
    assert doctor._network().state == "ok"


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "file:///etc/passwd"])
def test_no_network_is_only_advice(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    finding = doctor._network()
    assert finding.state == "advice"
    assert finding.advice


def test_offline_leaves_the_network_out(tmp_path: Path) -> None:
    assert "network" not in by_name(list(examine(tmp_path, offline=True)))


def test_missing_libraries_are_advice_or_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    assert doctor._torch().state == doctor._openvino().state == "advice"
    assert "arpent[web]" in doctor._extra("web", ("django",)).advice


def test_broken_libraries_end_with_code_8(arpent: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> object:
        raise ImportError(f"lib{name}.so: cannot open shared object file\nmore")

    monkeypatch.setattr(doctor, "import_module", broken)
    said = arpent("doctor", "--offline", "--json")
    assert said.code == 8
    states = {one["name"]: one["state"] for one in said.document["result"]["findings"]}
    assert states["gdal"] == states["torch"] == states["openvino"] == "broken"
    assert "gdal, torch, openvino" in said.document["error"]["what"]


def test_few_threads_and_little_memory_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert "OMP_NUM_THREADS" in doctor._processors().advice
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert doctor._processors() == Finding("processors", "ok", "4")
    for free, state in ((1 << 30, "advice"), (1 << 40, "ok"), (None, "ok")):
        monkeypatch.setattr(doctor, "_free_memory", lambda free=free: free)
        assert doctor._memory().state == state


def test_the_disk_is_looked_at_where_the_folder_will_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(tmp_path) in doctor._disk("results", tmp_path / "not" / "yet").found
    for little in ("_LITTLE_DISK", "_NO_DISK"):
        monkeypatch.setattr(doctor, little, 1 << 60)
        state = doctor._disk("results", tmp_path).state
        assert state == {"_LITTLE_DISK": "advice", "_NO_DISK": "broken"}[little]
    monkeypatch.setattr("os.access", lambda *_: False)
    assert doctor._disk("results", tmp_path).state == "broken"


def test_models_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARPENT_MODELS", str(tmp_path / "none"))
    count = len(shipping.shipped_names())
    fresh = doctor._models()
    assert (fresh.state, fresh.found.partition(";")[0]) == ("ok", f"{count} that come with Arpent")
    monkeypatch.setattr(shipping, "_FOLDER", tmp_path)
    assert doctor._models().state == "advice"


def test_the_machine_is_told_in_french(arpent: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARPENT_MODELS", str(tmp_path))
    words = ("doctor", "--offline", "--folder", tmp_path, "--language", "fr")
    told = arpent(*words).out
    for part in (
        "constaté",
        "conseil",
        "processeurs",
        "mémoire",
        "disque (travail)",
        "partie [learn]",
        "livrés avec Arpent",
    ):
        assert part in told, part
    assert not any(part in told for part in ("found", "advice", "memory", "disk (", "part [", "Fetch one"))
    names = [one["name"] for one in arpent(*words, "--json").document["findings"]]
    assert {"memory", "disk (results)", "part [learn]"} <= set(names), "machines read the same in every language"
