"""Sensors that people describe themselves."""

import pytest

from arpent.core import sensor, sensors
from arpent.errors import FileMissing, InvalidSetting, UnknownName, UnknownSetting

DRONE = """
title: our drone
gsd: 0.05
bits: 12
bands: [{name: red, wavelength: 668}, {name: rededge, wavelength: 717, aliases: [re]}, nir]
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """What one test reads is unknown to the next."""
    monkeypatch.setattr(sensors, "_OWN", {})


def test_a_sensor_from_a_file_answers_to_its_name_ever_after(tmp_path):
    (tmp_path / "drone.yaml").write_text(DRONE)
    with pytest.raises(UnknownName, match="no sensor is called 'drone'"):
        sensor("drone")
    own = sensor(str(tmp_path / "drone.yaml"))
    assert (own.name, own.title, own.bits, own.band_names) == ("drone", "our drone", 12, ("red", "rededge", "nir"))
    assert own.band("RE").wavelength == 717
    assert sensor("drone") == own
    assert sensor(str(tmp_path / "drone.yaml")) == own


def test_toml_does_as_well_and_may_name_it(tmp_path):
    (tmp_path / "a.toml").write_text('name = "scanner"\ngsd = 1.0\nbits = 16\nbands = ["grey"]\n')
    assert sensor(str(tmp_path / "a.toml")).name == "scanner"


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("gsd: 1\nbits: 8\nbands: [red]\nwave: 3", UnknownSetting, "wave"),
        ("gsd: 1\nbits: 8", InvalidSetting, "bands"),
        ("gsd: 0\nbits: 8\nbands: [red]", InvalidSetting, "gsd"),
        ("gsd: 1\nbits: 8\nbands: red", InvalidSetting, "bands"),
        ("gsd: 1\nbits: 8\nbands: [red, {name: r, aliases: [RED]}]", InvalidSetting, "two bands that answer to 'red'"),
        ("name: bd-ortho\ngsd: 1\nbits: 8\nbands: [red]", InvalidSetting, "another sensor called 'bd-ortho'"),
    ],
)
def test_what_describes_no_sensor_is_refused(tmp_path, text, error, words):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(error, match=words):
        sensor(str(tmp_path / "mine.yaml"))


def test_two_sensors_of_one_name_are_not_mixed_up(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "drone.yaml").write_text(DRONE)
    (tmp_path / "a/drone.yaml").write_text(DRONE.replace("12", "10"))
    sensor(str(tmp_path / "drone.yaml"))
    with pytest.raises(InvalidSetting, match="another sensor called 'drone'"):
        sensor(str(tmp_path / "a/drone.yaml"))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileMissing, match=r"drone\.yaml"):
        sensor(str(tmp_path / "drone.yaml"))
