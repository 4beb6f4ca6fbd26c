"""What ``arpent simulate`` tells people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.mark.parametrize("command", [("simulate",), ("forecast", "simulate", "--scenes", "1", "--dates", "1")])
def test_images_are_told_in_either_language(arpent: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    for language, heads in (
        ("en", ["domain", "sensor", "date", "image"]),
        ("fr", ["domaine", "capteur", "date", "image"]),
    ):
        said = arpent(*command, "-o", tmp_path / language, "--size", "16", "--language", language)
        assert said.code == 0, said.err
        assert said.out.split()[: len(heads)] == heads
        assert said.out.splitlines()[-1] == f"index  {tmp_path / language / 'index.csv'}"
