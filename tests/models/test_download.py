import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from arpent.core import Silent
from arpent.errors import DiskFull, NetworkMissing, UnknownName, UnreadableFile, WeightsMissing
from arpent.models import Published, download, fetch, published_model

REPO = "timm/resnet34.a1_in1k"  # the catalog has no checksum of it
FILE = "model.safetensors"
CONTENT = bytes(range(256)) * 4000


class Counting(Silent):
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.total: float | None = None
        self.done = 0.0

    @contextmanager
    def bar(self, title: str, total: float | None = None, unit: str = "") -> Iterator[Any]:
        self.title, self.total = title, total
        counting = self

        class Bar:
            def advance(self, amount: float = 1) -> None:
                counting.done += amount

        yield Bar()


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch, hub: Any) -> Published:
    """The catalog's ResNet-34, with the checksum of what the hub serves."""
    sha256 = hub.put(REPO, FILE, CONTENT)
    entry = published_model("resnet34")
    known = entry.model_copy(update={"files": (entry.files[0].model_copy(update={"sha256": sha256}),)})
    monkeypatch.setattr(download, "published_model", lambda _: known)
    return known


def test_a_file_comes_whole_and_is_checked_against_the_catalog(pinned: Published, models_home: Path) -> None:
    progress = Counting()
    (fetched,) = fetch("resnet34", progress=progress)
    assert fetched.path == models_home / "resnet34" / FILE
    assert fetched.path.read_bytes() == CONTENT
    assert (fetched.checked, fetched.sha256) == ("catalog", pinned.files[0].sha256)
    assert (progress.title, progress.total, progress.done) == (f"resnet34: {FILE}", len(CONTENT), len(CONTENT))
    assert [file.name for file in fetched.path.parent.iterdir()] == [FILE]


def test_a_file_that_is_here_is_checked_and_not_fetched_again(pinned: Published, models_home: Path, hub: Any) -> None:
    fetch("resnet34")
    hub.closed = True
    assert fetch("resnet34")[0].checked == "catalog"


def test_another_file_than_the_published_one_is_removed(hub: Any, models_home: Path) -> None:
    hub.put("timm/mobilenetv2_100.ra_in1k", FILE, b"something else")
    with pytest.raises(WeightsMissing, match="not the published one, and was removed") as raised:
        fetch("mobilenet-v2")
    assert "55ea4fb3a96010b933710ebf44fc965b070d5cd054d3f35e44f2d1320b4a714e" in str(raised.value)
    assert not (models_home / "mobilenet-v2" / FILE).exists()


def test_a_wrong_file_that_a_person_put_there_is_left_alone(hub: Any, models_home: Path) -> None:
    own = models_home / "mobilenet-v2" / FILE
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    with pytest.raises(WeightsMissing, match="--file"):
        fetch("mobilenet-v2")
    assert own.read_bytes() == b"mine"


def test_without_a_checksum_in_the_catalog_the_servers_own_counts(hub: Any, models_home: Path) -> None:
    hub.put(REPO, FILE, CONTENT)
    assert fetch("resnet34")[0].checked == "server"


def test_a_file_that_is_not_what_the_server_announced_is_removed(hub: Any, models_home: Path) -> None:
    hub.put(REPO, FILE, CONTENT, tag="a" * 64)
    with pytest.raises(WeightsMissing, match="was removed"):
        fetch("resnet34")
    assert not (models_home / "resnet34" / FILE).exists()


def test_without_any_checksum_the_first_one_seen_is_recorded_and_held_to(hub: Any, models_home: Path) -> None:
    sha256 = hub.put(REPO, FILE, CONTENT, tag="revision-1")
    assert fetch("resnet34")[0].checked == "first seen"
    record = models_home / "resnet34" / "checksums.json"
    assert json.loads(record.read_text()) == {FILE: sha256}
    assert fetch("resnet34")[0].checked == "recorded"
    (models_home / "resnet34" / FILE).unlink()
    hub.put(REPO, FILE, b"changed", tag="revision-2")
    with pytest.raises(WeightsMissing, match=r"was removed.*if its publisher has renewed it, remove it from"):
        fetch("resnet34")


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "",
        "[]",
        pytest.param("[" * 100_000, id="deep"),
        '{"model.safetensors": 3}',
        '{"model.safetensors": "abc"}',
        "\xff",
    ],
)
def test_damaged_records_are_said_in_one_line(content: str, hub: Any, models_home: Path) -> None:
    hub.put(REPO, FILE, CONTENT)
    fetch("resnet34")
    record = models_home / "resnet34" / "checksums.json"
    record.write_text(content, "latin-1")
    with pytest.raises(UnreadableFile, match="Restore it from a copy") as raised:
        fetch("resnet34")
    assert str(record) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("tag", [None, "revision-1"])
def test_a_file_that_was_not_checked_before_an_interruption_has_not_its_name(
    tag: str | None, hub: Any, models_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.put(REPO, FILE, CONTENT, tag=tag)

    def interrupted(_: Path) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(download, "file_sha256", interrupted)
        fetch("resnet34")
    assert not (models_home / "resnet34" / FILE).exists()
    (models_home / "resnet34" / ".incoming" / FILE).write_bytes(b"damaged")  # by whatever interrupted
    (fetched,) = fetch("resnet34")
    assert fetched.checked == ("first seen" if tag else "server")
    assert fetched.path.read_bytes() == CONTENT
    assert sorted(file.name for file in fetched.path.parent.iterdir()) == ["checksums.json", FILE]


def test_a_model_of_several_files_brings_them_all(hub: Any, models_home: Path) -> None:
    names = [file.name for file in published_model("qwen2-1.5b").files]
    for name in names:
        hub.put("Qwen/Qwen2-1.5B", name, name.encode())
    assert [one.path.name for one in fetch("qwen2-1.5b")] == names


class TestADownloadThatBreaksOff:
    @pytest.fixture
    def pinned(self, pinned: Published, hub: Any, monkeypatch: pytest.MonkeyPatch) -> Published:
        # The client keeps what came in pieces of 10 MiB: the half that comes here is one piece and some.
        content = bytes(24 * 2**20)
        sha256 = hub.put(REPO, FILE, content)
        known = pinned.model_copy(update={"files": (pinned.files[0].model_copy(update={"sha256": sha256}),)})
        monkeypatch.setattr(download, "published_model", lambda _: known)
        hub.cuts = 1
        return known

    def test_goes_on_where_it_stopped(self, pinned: Published, models_home: Path, hub: Any) -> None:
        (fetched,) = fetch("resnet34")
        assert fetched.sha256 == pinned.files[0].sha256
        assert hub.ranges == [f"bytes={10 * 2**20}-"]

    def test_and_cannot_go_on_leaves_no_file_and_begins_again_next_time(
        self, pinned: Published, models_home: Path, hub: Any
    ) -> None:
        hub.closes_after_cuts = True
        with pytest.raises(NetworkMissing, match="elsewhere and put it at"):
            fetch("resnet34")
        assert not (models_home / "resnet34" / FILE).exists()
        left = [file for file in (models_home / "resnet34").rglob("*") if file.is_file() and file.stat().st_size > 999]
        assert left == []
        hub.closed = False
        assert fetch("resnet34")[0].sha256 == pinned.files[0].sha256


def test_without_network_it_says_what_to_put_where(models_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(NetworkMissing) as raised:
        fetch("flair-rgbi-15")
    told = str(raised.value)
    name = "FLAIR-INC_rgbi_15cl_resnet34-unet_weights.pth"
    assert f"https://huggingface.co/IGNF/FLAIR-INC_rgbi_15cl_resnet34-unet/resolve/main/{name}" in told
    assert str(models_home / "flair-rgbi-15" / name) in told
    assert "\n" not in told


def test_a_file_that_the_repository_lacks_is_said(hub: Any, models_home: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"NRCan/Planaura-1\.0 has no file Planaura-1\.0-S2\.pth"):
        fetch("planaura-s2")


def test_a_misspelt_name_reaches_no_server(models_home: Path) -> None:
    with pytest.raises(UnknownName):
        fetch("resnet43")
    assert not models_home.exists()


def test_a_full_disk_is_named(pinned: Published, models_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    import huggingface_hub

    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", full)
    with pytest.raises(DiskFull):
        fetch("resnet34")
