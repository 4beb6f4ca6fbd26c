"""The page on Python: its blocks, one after another from a fresh folder, as they are written there."""

import re
import subprocess
import sys

import pytest

from arpent.core.settings import Settings


def blocks_of(root, name):
    text = (root / "docs" / "howto" / name).read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_blocks_run_as_they_stand(root, tmp_path):
    script = tmp_path / "typed.py"
    script.write_text("\n".join(blocks_of(root, "python.md")), "utf-8")
    strict = ["-W", "error", "-W", "default:no model was named:UserWarning"]  # the one that the page shows
    done = subprocess.run([sys.executable, *strict, script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Run of change" in done.stdout and "EPSG:32" in done.stdout
    assert "NDVI" in done.stdout, "a text in French"
    assert "change-nano was used" in done.stdout and "change-nano was used" in done.stderr
    assert "nowhere.tif" in done.stdout and "→" in done.stdout
    assert (tmp_path / "change.png").stat().st_size > 10_000
    assert (tmp_path / "cosine.png").is_file() and not (tmp_path / "runs" / "other").exists()


def test_both_languages_run_the_same(root):
    def bare(name):
        return [re.sub(r"  #.*", "", block) for block in blocks_of(root, name)]

    assert len(bare("python.md")) == 7
    assert bare("python.md") == bare("python.fr.md")


def test_the_settings_that_the_page_names_exist(root):
    import arpent.tasks.change.settings
    import arpent.tasks.classify.predict_settings
    import arpent.tasks.describe
    import arpent.tasks.forecast.predict_settings
    import arpent.tasks.landcover.settings  # noqa: F401 - each brings its settings

    def below(model):
        return {found for child in model.__subclasses__() for found in {child, *below(child)}}

    page = (root / "docs" / "howto" / "python.md").read_text("utf-8")
    named = set(re.findall(r"\[`(\w+Settings)`\]", page))
    assert len(named) == 6
    assert named <= {model.__name__ for model in below(Settings)}
