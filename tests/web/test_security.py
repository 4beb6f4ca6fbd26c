"""Whom the map serves, what it never does, and what it says when something is broken: it stays up."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from arpent.errors import FileMissing, InvalidSetting, RunDamaged, UnreadableFile
from arpent.web.site.environment import Environment
from arpent.web.site.guard import POLICY, check_address


@pytest.fixture
def broken(site: Path, new_run: Callable[..., Path], tmp_path: Path) -> Iterator[tuple[Path, Any]]:
    """A forecast on the map whose files a test may break; its folder and its layer."""
    from arpent.web.index.models import Layer
    from arpent.web.index.registering import register, remove

    path = new_run(tmp_path, "forecast", "broken")
    done = register(path)
    yield path, Layer.objects.get(run_id=done.number, kind="classes")
    remove(done.number)


@pytest.fixture
def staff(site: Path) -> Iterator[Client]:
    from django.contrib.auth.models import User

    user = User.objects.create_user("surveyor", password="a long word", is_staff=True)
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    yield client
    user.delete()


def told(answer: Any) -> tuple[int, str]:
    """Status and message of a failure; it is one line with a cure."""
    document = answer.json()
    assert set(document) == {"error", "cure", "class", "means"} and document["cure"]
    assert "\n" not in document["error"] and "Traceback" not in document["error"]
    return answer.status_code, document["error"]


def test_every_answer_has_the_policy_and_nothing_inline_is_allowed(registered: dict[str, int]) -> None:
    client = Client()
    for address in ("/api/state", "/api/nix", "/nix", "/tiles/1/2/3/4/5.png", "/static/leaflet/leaflet.js", "/"):
        answer = client.get(address)
        assert answer["Content-Security-Policy"] == POLICY, address
        assert answer["X-Content-Type-Options"] == "nosniff"
        answer.close()
    assert "default-src 'self'" in POLICY and "unsafe" not in POLICY and "script-src" not in POLICY
    page = client.get("/").content.decode()
    assert "onclick=" not in page and "style=" not in page and "https://" not in page
    assert all("src=" in tag for tag in page.split("<script")[1:] if 'type="application/json"' not in tag[:80])


@pytest.mark.parametrize("secure", [True, False])
def test_cookies_that_came_through_tls_go_through_tls_alone(staff: Client, secure: bool) -> None:
    client = Client()
    client.get("/login/", secure=secure)
    client.post("/login/", {"username": "surveyor", "password": "a long word"}, secure=secure)
    assert {name: bool(cookie["secure"]) for name, cookie in client.cookies.items()} == {
        "csrftoken": secure,
        "sessionid": secure,
    }


def test_other_hosts_are_refused(site: Path) -> None:
    answer = Client().get("/api/state", headers={"Host": "evil.example"})
    assert told(answer) == (400, "the request cannot be understood")


def test_strangers_are_served_only_under_a_name_and_with_a_key(tmp_path: Path) -> None:
    local = Environment.read({"DATA_PATH": str(tmp_path)})
    for host in ("127.0.0.1", "localhost", "::1", "127.1.2.3"):
        check_address(host, local)
    for host in ("0.0.0.0", "::", "192.168.1.5", "map.example"):
        with pytest.raises(InvalidSetting, match="no ALLOWED_HOSTS and no DJANGO_SECRET_KEY"):
            check_address(host, local)
    named = {"DATA_PATH": str(tmp_path), "ALLOWED_HOSTS": "map.example"}
    with pytest.raises(InvalidSetting, match="no DJANGO_SECRET_KEY"):
        check_address("0.0.0.0", Environment.read(named))
    check_address("0.0.0.0", Environment.read({**named, "DJANGO_SECRET_KEY": "k" * 50}))


def test_only_the_staff_changes_the_map_and_only_with_a_token(
    staff: Client, broken: tuple[Path, Any], new_run: Callable[..., Path]
) -> None:
    from arpent.web.index.models import Run

    path, layer = broken
    address = f"/api/runs/{layer.run_id}"
    assert Client().delete(address).status_code in (401, 403)
    assert told(staff.delete(address))[0] == 403, "a session alone is not enough"
    assert Run.objects.filter(id=layer.run_id).exists()
    staff.get("/")
    token = {"X-CSRFToken": staff.cookies["csrftoken"].value}
    other = new_run(path.parent, "classify", "other")

    def add(name: str) -> Any:
        return staff.post("/api/runs", json.dumps({"name": name}), content_type="application/json", headers=token)

    done = add(other.name)
    assert (done.status_code, done.json()["layers"]) == (200, 1)
    for name in (str(other), f"../{path.parent.name}/{other.name}", "/etc", "..", "nix"):
        assert told(add(name))[0] == 404, "names alone, and only of runs"
    assert staff.delete(f"/api/runs/{done.json()['id']}", headers=token).status_code == 204
    assert told(staff.delete(f"/api/runs/{done.json()['id']}", headers=token))[0] == 404


def test_who_guesses_passwords_waits_and_nobody_else(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def sign_in(name: str, password: str, address: str = "192.0.2.1") -> Any:
        return Client(REMOTE_ADDR=address).post(
            "/login/", {"username": name, "password": password}, HTTP_ACCEPT_LANGUAGE="fr"
        )

    monkeypatch.setattr("arpent.web.site.login.MOST_TRIES", 2)
    assert [sign_in("surveyor", "a guess").status_code for _ in range(3)] == [200, 200, 429]
    held = sign_in("surveyor", "a long word")
    assert held.status_code == 429 and held["Retry-After"] == "600" and "dix minutes" in held.content.decode()
    assert sign_in("surveyor", "a long word", "192.0.2.2").status_code == 302
    assert sign_in("someone", "a guess").status_code == 200
    for spelling in (" surveyor", "surveyor\t\u3000", "\uff53urveyor"):
        assert sign_in(spelling, "a long word").status_code == 429, "the form takes it for the same name"


def test_an_area_is_asked_for_with_a_token(registered: dict[str, int]) -> None:
    body = json.dumps(
        {"polygon": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}, "layers": [1]}
    )
    client = Client(enforce_csrf_checks=True)
    assert told(client.post("/api/areas", body, content_type="application/json"))[0] == 403
    client.get("/")
    headers = {"X-CSRFToken": client.cookies["csrftoken"].value}
    assert told(client.post("/api/areas", body, content_type="application/json", headers=headers))[0] == 404


@pytest.mark.parametrize(
    ("polygon", "status"),
    [
        ({"type": "Polygon", "coordinates": [[[n / 1e4, n % 2] for n in range(10_002)] + [[0, 0]]]}, 400),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1e9, 0], [1e9, 1e9], [0, 0]]]}, 400),
        ({"type": "Point", "coordinates": [0, 0]}, 400),
        ({"type": "Polygon", "coordinates": "x"}, 400),
        ({"type": "GeometryCollection", "geometries": [{"type": "GeometryCollection"}]}, 400),
        ({"type": "Polygon", "coordinates": [[[-170, -80], [170, -80], [170, 80], [-170, 80], [-170, -80]]]}, 200),
    ],
)
def test_areas_that_nobody_draws_are_refused(broken: tuple[Path, Any], polygon: Any, status: int) -> None:
    body = json.dumps({"polygon": polygon, "layers": [broken[1].id]})
    answer = Client().post("/api/areas", body, content_type="application/json")
    assert answer.status_code == status
    if status >= 400:
        told(answer)


def test_requests_are_bounded(broken: tuple[Path, Any]) -> None:
    number = broken[1].id
    big = json.dumps({"polygon": {"x": "y" * (2 << 20)}, "layers": [1]})
    assert Client().post("/api/areas", big, content_type="application/json").status_code in (400, 413)
    many = ",".join([str(number)] + [str(n) for n in range(30)])
    assert told(Client().get(f"/api/point?lat=0&lon=0&layers={many}"))[0] == 400
    drawn = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    for strange in (-(10**30), -1, 10**30):
        body = json.dumps({"polygon": drawn, "layers": [strange]})
        assert told(Client().post("/api/areas", body, content_type="application/json"))[0] == 404
    assert told(Client().get(f"/api/layers/{number}/features?limit=100000"))[0] == 422
    frame = broken[1].frames.first().id
    assert told(Client().get(f"/tiles/{number}/{frame}/40/0/0.png"))[0] == 400


def ask_all(layer: Any) -> dict[str, Any]:
    """What the page asks of a layer: a tile, a value, an area, a download."""
    frame = layer.frames.first().id
    lon, lat = (layer.west + layer.east) / 2, (layer.south + layer.north) / 2
    ring = [[layer.west, layer.south], [lon, layer.south], [lon, lat], [layer.west, layer.south]]
    body = json.dumps({"polygon": {"type": "Polygon", "coordinates": [ring]}, "layers": [layer.id]})
    box = f"{layer.west},{layer.south},{layer.east},{layer.north}"
    client = Client()
    answers = {
        "tile": client.get(f"/tiles/{layer.id}/{frame}/0/0/0.png"),
        "point": client.get(f"/api/point?lat={lat}&lon={lon}&layers={layer.id}"),
        "areas": client.post("/api/areas", body, content_type="application/json"),
        "clip": client.get(f"/api/layers/{layer.id}/clip?bbox={box}&frame={frame}"),
    }
    for answer in answers.values():
        answer.close()
    return answers


def test_deleted_files_are_told_and_the_rest_is_served(broken: tuple[Path, Any]) -> None:
    path, layer = broken
    assert {answer.status_code for answer in ask_all(layer).values()} == {200}
    shutil.rmtree(path)
    answers = ask_all(layer)
    assert answers.pop("tile").status_code == 200  # of the display image, which is still there
    for name, answer in answers.items():
        status, error = told(answer)
        assert status == 404, name
        assert str(path.parent) not in error, "strangers need not know where files lie"
    from django.conf import settings as site_settings

    (Path(site_settings.DATA_PATH) / "display" / layer.frames.first().display).unlink()
    assert told(ask_all(layer)["tile"])[0] == 404
    assert Client().get("/api/layers").status_code == 200


def test_damaged_rasters_are_told_and_the_rest_is_served(broken: tuple[Path, Any]) -> None:
    path, layer = broken
    from django.conf import settings as site_settings

    display = Path(site_settings.DATA_PATH) / "display" / layer.frames.first().display
    for file in (display, *path.glob("classes_*.tif")):
        content = file.read_bytes()
        file.write_bytes(content[:200] + b"\xff" * (len(content) - 200))
    for name, answer in ask_all(layer).items():
        assert told(answer)[0] == 422, name
    assert Client().get("/api/state").status_code == 200


VRT = """<VRTDataset rasterXSize="10" rasterYSize="10"><GeoTransform>0,1,0,0,0,-1</GeoTransform><SRS>EPSG:4326</SRS>
<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>/etc/passwd</SourceFilename></SimpleSource>
</VRTRasterBand></VRTDataset>"""


@pytest.mark.parametrize("content", [VRT, "secret", ""])
def test_a_raster_that_names_other_files_is_never_opened(
    site: Path, new_run: Callable[..., Path], tmp_path: Path, content: str
) -> None:
    from arpent.web.index.registering import register, remove

    path = new_run(tmp_path, "change", "hostile")
    (path / "cosine_map.tif").write_text(content)
    done = register(path)
    assert any("cosine_map" in line for line in done.problems)
    remove(done.number)


def test_a_geopackage_that_is_none_is_never_opened(tmp_path: Path) -> None:
    from arpent.web.index.shapes import shape_tables

    for name, content in (("a.gpkg", "<OGRVRTDataSource/>"), ("a.vrt", "<OGRVRTDataSource/>"), ("a.json", "[]")):
        (tmp_path / name).write_text(content)
        with pytest.raises(UnreadableFile):
            list(shape_tables(tmp_path / name))


def test_manifests_that_lead_out_of_their_folder_are_refused(
    site: Path, new_run: Callable[..., Path], tmp_path: Path
) -> None:
    from arpent.web.index.registering import register

    path = new_run(tmp_path, "classify", "traveller")
    manifest = path / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"places.parquet"', '"../../secret.parquet"'))
    with pytest.raises(RunDamaged):
        register(path)
    with pytest.raises(FileMissing):
        register(tmp_path / "nowhere")


def test_names_stay_text(site: Path, new_run: Callable[..., Path], tmp_path: Path) -> None:
    from arpent.web.index.registering import register, remove

    hostile = "<script>alert(1)</script>"
    done = register(new_run(tmp_path, "classify", hostile))
    document = Client().get("/api/layers")
    assert document["Content-Type"].startswith("application/json")
    assert document["X-Content-Type-Options"] == "nosniff"
    assert hostile not in Client().get("/").content.decode()
    remove(done.number)


def test_a_spreadsheet_takes_no_name_for_a_formula() -> None:
    from arpent.web.api.spreadsheet import area_csv
    from arpent.web.index.models import Layer

    layer = Layer(id=1, title_en="=HYPERLINK(1)", title_fr="+1")
    row = {"layer": 1, "date": None, "class": None, "area_m2": 1.0, "share": 1.0, "mean": None}
    assert area_csv([row], [layer], "en").splitlines()[1].startswith("'=HYPERLINK(1),")
    assert area_csv([row], [layer], "fr").splitlines()[1].startswith("'+1;")


def test_a_locked_database_is_told_while_readers_go_on(
    broken: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import connection

    from arpent.web.index.registering import raise_version

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert Client().get("/api/layers").status_code == 200
        monkeypatch.setattr("arpent.web.api.layers.version", raise_version)  # an answer that would have to write
        answer = Client().get("/api/state")
        assert told(answer) == (503, "the map's database cannot be used now")
        assert "Wait a moment" in answer.json()["cure"]
        assert answer["Retry-After"] == "5"
    finally:
        other.execute("ROLLBACK")
        other.close()
        connection.close()


@pytest.mark.parametrize(("content", "cure"), [(None, "migrate"), (b"no database" * 1000, "Remove the database file")])
def test_a_database_that_is_lost_or_damaged_is_told(
    broken: tuple[Path, Any], tmp_path: Path, content: bytes | None, cure: str
) -> None:
    from django.db import connection

    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = tmp_path / "other.sqlite"
    if content is not None:
        (tmp_path / "other.sqlite").write_bytes(content)
    try:
        answer = Client().get("/api/layers")
        assert told(answer)[0] == 503
        assert cure in answer.json()["cure"]
        assert Client().get("/api/nix").status_code == 404
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
    assert Client().get("/api/layers").status_code == 200
