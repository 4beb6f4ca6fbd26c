"""The reference is made from the code, and is that of this code."""

import re
import subprocess
import sys
from pathlib import Path

from arpent import errors
from arpent.cli.app import COMMANDS


def test_the_reference_is_fresh(root: Path) -> None:
    """Where this fails: ``make reference``, and commit what it wrote."""
    answer = subprocess.run(
        [sys.executable, root / "scripts" / "reference.py", "--check"], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_command_has_its_section(root: Path) -> None:
    page = (root / "docs" / "reference" / "cli.md").read_text("utf-8")
    for name in COMMANDS:
        assert f"\n## arpent {name}\n" in page


def test_every_command_has_an_example(root: Path) -> None:
    """Taken from the guides by ``make reference``: a command that no guide types has none.

    Those alone that only gather others have theirs where these stand.
    """
    page = (root / "docs" / "reference" / "cli.md").read_text("utf-8")
    parts = re.split(r"^#+ (arpent [a-z -]+)$", page, flags=re.MULTILINE)
    bare = [
        name
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
        if f"{name} COMMAND\n" not in text and not re.search(rf"^\$ (\.venv/bin/)?{name}\b", text, re.MULTILINE)
    ]
    assert {f"arpent {name}" for name in COMMANDS} <= set(parts[1::2])
    assert bare == []


def test_every_option_is_explained(root: Path) -> None:
    """A row of the reference without a last cell is an option without help."""
    page = (root / "docs" / "reference" / "cli.md").read_text("utf-8")
    silent = [line for line in page.splitlines() if line.startswith("| `-") and line.endswith("|  |")]
    assert silent == []


def test_every_setting_is_explained(root: Path) -> None:
    page = (root / "docs" / "reference" / "settings.md").read_text("utf-8")
    silent = [line for line in page.splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert silent == []


def test_every_error_is_listed_with_its_code(root: Path) -> None:
    page = (root / "docs" / "reference" / "errors.md").read_text("utf-8")
    for name in errors.__all__:
        if isinstance(getattr(errors, name), type):
            assert f"`{name}`" in page


def test_errors_that_the_troubleshooting_explains_exist(root: Path) -> None:
    page = (root / "docs" / "troubleshooting.md").read_text("utf-8")
    named = {name for name in page.replace("`", " ").replace(",", " ").split() if name in errors.__all__}
    common = {"BandMismatch", "ContractMismatch", "DiskFull", "ExtraMissing", "RunExists", "WeightsMissing"}
    assert common <= named
