from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from arpent.core import load_yaml, merge
from arpent.core.yaml_files import _plain
from arpent.errors import FileMissing, InvalidSetting, UnreadableFile


@pytest.fixture
def written(tmp_path: Path):
    def write(content: str | bytes) -> Path:
        file = tmp_path / "s.yaml"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    return write


def test_plain_values_are_read(written) -> None:
    assert load_yaml(written("a: 1\nb: [x, 2.5]\nc: {d: null, e: été}\n")) == {
        "a": 1,
        "b": ["x", 2.5],
        "c": {"d": None, "e": "été"},
    }
    assert load_yaml(written("")) == {}
    assert load_yaml(written(b"\xef\xbb\xbfa: 1")) == {"a": 1}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{chr(ord(name) - 1)}'] * 9)}]\n" for name in "bcdefghi"
)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (BOMB, "anchors and aliases"),
        ("a: " + "[" * 5000, "more than 32 levels"),
        ("a: " * 40, "mapping values are not allowed"),
        ("a: 1\nb: 2\na: 3\n", "the key 'a' is given twice"),
        ("a:\n  b: 1\n  b: 2\n", "at line 3"),
        ("? [1]\n: 2\n", "cannot be a key"),
        ("a: !!python/object/apply:os.system ['touch pwned']", "could not determine a constructor"),
        ("a: 2026-99-99", "month must be"),
        ("a: " + "9" * 5000, "digits"),
        ("[1, 2]", "is not a table of settings"),
        ("3: x", "keys that are not words"),
        ("a: [1", "not YAML"),
        ("a: 1\n---\nb: 2\n", "expected a single document"),
        (b"a: \xff", "utf-8"),
        ("a: \x07", "not YAML"),
        ("# " + "x" * 300_000, "too large"),
    ],
)
def test_hostile_files_are_one_line(written, content: str | bytes, line: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        load_yaml(written(content))
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        load_yaml(tmp_path / "none.yaml")
    with pytest.raises(UnreadableFile):
        load_yaml(tmp_path)


@pytest.mark.parametrize("value", ["!!timestamp 99999-99-99", "!!bool maybe", "!!int ''", "!!int x", "!!float x"])
def test_a_value_that_its_tag_belies_is_refused(written, value: str) -> None:
    with pytest.raises(InvalidSetting):
        load_yaml(written(f"a: {value}"))


@given(st.text() | st.text(alphabet="ab:[]{},&*!|>-?\"'#% \n\t1"))
def test_any_text_is_a_value_or_one_of_our_errors(text: str) -> None:
    try:
        value = _plain(text.encode("utf-8", "replace"), "s.yaml")
    except InvalidSetting as error:
        assert error.cure
    else:
        yaml.safe_dump(value)


def test_merge_refines_a_copy() -> None:
    before = {"a": {"b": 1, "c": 2}, "d": [1]}
    after = merge(before, ["a.b=3", "e.f.g=[1, {h: x}]", "d=null", "url=s3://x?a=b"])
    assert after == {"a": {"b": 3, "c": 2}, "d": None, "e": {"f": {"g": [1, {"h": "x"}]}}, "url": "s3://x?a=b"}
    assert before == {"a": {"b": 1, "c": 2}, "d": [1]}


@pytest.mark.parametrize("assignment", ["a", "=3", ".a=3", "a.=3", "a..b=3", "d.e=3", "a=[", "a=*x"])
def test_assignments_that_set_nothing(assignment: str) -> None:
    with pytest.raises(InvalidSetting):
        merge({"d": 1}, [assignment])


WORDS = st.text(alphabet="abc", min_size=1, max_size=3)


@given(st.lists(WORDS, min_size=1, max_size=4), st.integers() | st.booleans() | st.lists(st.integers(), max_size=3))
def test_what_is_set_is_found(path: list[str], value: object) -> None:
    merged: object = merge({}, [f"{'.'.join(path)}={yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}"])
    for name in path:
        assert isinstance(merged, dict)
        merged = merged[name]
    assert merged == value
