"""What the surroundings say: variables, a .env file, and what is made where they say nothing."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arpent.errors import ArpentError, InvalidSetting
from arpent.web.site.environment import LOCAL_HOSTS, VARIABLES, Environment, read_dotenv
from arpent.web.site.guard import told


def test_nothing_need_be_said(tmp_path: Path) -> None:
    found = Environment.read({"XDG_DATA_HOME": str(tmp_path)})
    assert found.data == tmp_path / "arpent" / "map"
    assert (found.hosts, found.hosts_given, found.production, found.debug) == (LOCAL_HOSTS, False, False, False)
    key = found.secret_key()
    assert len(key) > 50
    assert found.secret_key() == key, "sessions outlive the server"
    assert (found.data / "secret.key").stat().st_mode & 0o077 == 0
    assert found.databases()["default"]["NAME"] == found.data / "map.sqlite"


def test_production_needs_a_key(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="needs a secret key"):
        Environment.read({"DEBUG": "0", "DATA_PATH": str(tmp_path)})
    with pytest.raises(InvalidSetting, match="too short"):
        Environment.read({"DEBUG": "0", "DJANGO_SECRET_KEY": "secret"})
    found = Environment.read({"DEBUG": "0", "DJANGO_SECRET_KEY": "k" * 40, "ALLOWED_HOSTS": "a.example, b.example"})
    assert (found.production, found.debug, found.secret_key()) == (True, False, "k" * 40)
    assert found.hosts == ("a.example", "b.example")
    with pytest.raises(InvalidSetting, match="neither on nor off"):
        Environment.read({"DEBUG": "yes"})


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArpentError, match="cannot be written"):
        Environment(data=tmp_path / "file" / "map").secret_key()


def test_databases_by_their_address(tmp_path: Path) -> None:
    made = Environment(data=tmp_path, database="postgis://me:p%40ss@host:5433/land?sslmode=require").databases()
    chosen = made["default"]
    assert (chosen["USER"], chosen["PASSWORD"], chosen["HOST"], chosen["PORT"]) == ("me", "p@ss", "host", "5433")
    assert (chosen["NAME"], chosen["OPTIONS"]["sslmode"]) == ("land", "require")
    by_socket = Environment(data=tmp_path, database="postgresql://arpent@/arpent?host=/run/pg").databases()["default"]
    assert (by_socket["HOST"], by_socket["NAME"]) == ("/run/pg", "arpent")
    own = Environment(data=tmp_path, database=f"sqlite://{tmp_path}/own.sqlite").databases()["default"]
    assert own["NAME"] == tmp_path / "own.sqlite"
    with pytest.raises(InvalidSetting, match="found mysql"):
        Environment(data=tmp_path, database="mysql://host/land").databases()


def test_variables_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# remark\n\nexport DATA_PATH='/a b'\nALLOWED_HOSTS=a.example # mine\n")
    assert read_dotenv(path) == {"DATA_PATH": "/a b", "ALLOWED_HOSTS": "a.example"}
    assert Environment.read({}, path).data == Path("/a b")
    assert Environment.read({"DATA_PATH": "/c"}, path).data == Path("/c")
    path.write_text("DATA_PAHT=/a\n")
    with pytest.raises(InvalidSetting, match=r"line 1 of .* sets nothing that the map knows"):
        Environment.read({}, path)


@given(st.dictionaries(st.sampled_from(VARIABLES), st.text(st.characters(codec="ascii", categories=["L", "N"]))))
def test_what_is_written_to_the_file_is_read(tmp_path_factory: pytest.TempPathFactory, values: dict[str, str]) -> None:
    path = tmp_path_factory.mktemp("env") / ".env"
    path.write_text("".join(f'{name}="{value}"\n' for name, value in values.items()))
    assert read_dotenv(path) == values


def test_the_example_names_every_variable(root: Path) -> None:
    text = (root / ".env.example").read_text()
    assert set(re.findall(r"^#([A-Z_]+)=", text, re.MULTILINE)) == set(VARIABLES)
    lines = [line.removeprefix("#") for line in text.splitlines() if re.match(r"#[A-Z_]+=", line)]
    assert len(lines) == len(VARIABLES)


def test_commands_end_in_one_line_and_a_code(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    from arpent.web.site.managing import main

    assert main(["manage.py", "register", str(tmp_path / "nix")]) == 1
    assert main(["manage.py", "runserver", "0.0.0.0:0", "--noreload", "--skip-checks"]) == 2

    def locked(*_: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr("arpent.web.index.registering._drop", locked)
    assert main(["manage.py", "rebuild"]) == 1
    missing, strangers, waiting = capsys.readouterr().err.splitlines()
    assert missing.startswith("there is no folder")
    assert "not served to others at 0.0.0.0" in strangers
    assert waiting.endswith("Wait a moment: another program is writing to it.")


def test_messages_keep_folders_to_themselves() -> None:
    from arpent.errors import FileMissing

    answer = told(FileMissing("there is no /home/me/runs/a.tif", cure="See https://host/a/b or 1/2, or /home/me."))
    assert answer is not None
    text = answer.content.decode()
    assert "/home" not in text and "a.tif" in text and "https://host/a/b" in text and "1/2" in text
    assert told(ZeroDivisionError()) is None
    unknown = told(FileMissing("there is no layer 1", cure="Ask /api/layers which there are."))
    assert unknown is not None and json.loads(unknown.content)["cure"] == "Ask /api/layers which there are."
