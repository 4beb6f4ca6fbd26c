"""Documents whose format has a version."""

from pathlib import Path

import pytest

from arpent.core.formats import Format
from arpent.errors import BundleInvalid

MOVED = Format(
    "box format",
    3,
    lambda path, found: BundleInvalid(f"{path} is damaged", found=found, cure="Take a fresh copy."),
    BundleInvalid,
    {
        1: lambda old: {**old, "pixel": old["gsd"]},
        2: lambda old: {key: value for key, value in old.items() if key != "gsd"},
    },
)


def test_migrations_run_one_after_the_other() -> None:
    assert MOVED.upgraded({"format": 1, "gsd": 0.2}, Path("m")) == {"format": 3, "pixel": 0.2}
    assert MOVED.upgraded({"format": 2, "gsd": 0.2, "pixel": 1}, Path("m")) == {"format": 3, "pixel": 1}
    assert MOVED.upgraded({"format": 3, "pixel": 1}, Path("m")) == {"format": 3, "pixel": 1}


def test_a_later_version_is_refused_by_name() -> None:
    with pytest.raises(BundleInvalid, match=r"later version of Arpent \(found box format 4; expected 3 or less\)"):
        MOVED.upgraded({"format": 4}, Path("m"))


@pytest.mark.parametrize("version", [0, -1, True, "1", None, 1.0])
def test_what_is_no_version_is_damage(version: object) -> None:
    with pytest.raises(BundleInvalid, match="m is damaged"):
        MOVED.upgraded({"format": version}, Path("m"))
