"""The site builds without a warning, and its pages load nothing from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    answer = subprocess.run(
        [Path(sys.executable).parent / "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=root,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert answer.returncode == 0, answer.stderr
    return folder


def test_the_site_builds_without_warnings(site: Path) -> None:
    assert (site / "index.html").is_file()
    assert (site / "index.fr.html").is_file()


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    """Links may lead anywhere; scripts, styles, fonts and pictures come with the page."""
    foreign = set()
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        foreign |= set(re.findall(r"<(?:script|img|iframe)[^>]+src=\"(https?://[^\"]+)", text))
        foreign |= set(re.findall(r"<link[^>]+rel=\"(?:stylesheet|icon|preload)\"[^>]+href=\"(https?://[^\"]+)", text))
        foreign |= set(re.findall(r"<link[^>]+href=\"(https?://[^\"]+)\"[^>]+rel=\"(?:stylesheet|preload)", text))
    assert foreign == set()


def test_pages_in_french_say_so_and_hold_their_punctuation(site: Path) -> None:
    """Neither a semicolon nor a closing guillemet begins a line; code stays as it is typed."""
    for page in site.rglob("*.fr.html"):
        text = page.read_text("utf-8")
        assert '<html lang="fr"' in text, page.name
        prose = re.sub(r"<(pre|code|script|style|nav|title)\b.*?</\1>", "", text, flags=re.DOTALL)
        assert re.findall(r"\w[ \n][;!?»]|«[ \n]\w", re.sub(r"<[^>]+>", "", prose.partition("<article")[2])) == [], (
            page.name
        )
    assert '<html lang="en"' in (site / "index.html").read_text("utf-8")
