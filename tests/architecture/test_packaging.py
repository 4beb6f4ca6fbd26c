"""What the package promises about itself: bounds with reasons, a lock that is whole, one version."""

import re
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder

import arpent

EXTRAS = {"learn", "language", "web", "fast", "cluster", "xarray", "all"}


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))


def _requirements(project: dict[str, Any]) -> list[str]:
    extras = project["project"]["optional-dependencies"]
    dev = project["dependency-groups"]["dev"]
    lists = [project["project"]["dependencies"], *extras.values(), dev, project["build-system"]["requires"]]
    return [entry for entries in lists for entry in entries]


def test_every_bound_has_its_reason(project: dict[str, Any], root: Path) -> None:
    """Each requirement has a lower bound, and its line a comment that begins with the bounded version or says why."""
    lines = (root / "pyproject.toml").read_text("utf-8").splitlines()
    for requirement in _requirements(project):
        if requirement.startswith("arpent["):
            continue
        assert re.search(r">=\d", requirement), f"{requirement} has no lower bound"
        line = next(line for line in lines if f'"{requirement}"' in line)
        assert len(line.partition("#")[2].strip()) > len("1.0: x"), f"{requirement} gives no reason"


def test_every_exception_of_the_linter_has_its_reason(root: Path) -> None:
    text = (root / "pyproject.toml").read_text("utf-8")
    ignored = text.partition("\nignore = [\n")[2].partition("\n]")[0]
    assert all("#" in line for line in ignored.splitlines())


def test_the_extras_are_those_that_the_errors_name(project: dict[str, Any], modules: list[Any]) -> None:
    """`ExtraMissing.of("learn", …)` must name a part that pip can install."""
    assert set(project["project"]["optional-dependencies"]) == EXTRAS
    for module in modules:
        for name in re.findall(r"ExtraMissing\.of\(\s*\"(\w+)\"", module.text):
            assert name in EXTRAS, f"{module.name} asks for arpent[{name}]"


def test_reading_and_serving_need_no_torch(project: dict[str, Any]) -> None:
    names = [re.split(r"[<>=\[]", entry)[0] for entry in project["project"]["dependencies"]]
    assert not set(names) & {"torch", "timm", "transformers", "accelerate", "ray", "openvino"}


def test_every_dependency_serves_the_package_itself(project: dict[str, Any], modules: list[Any]) -> None:
    """What tests and benchmarks alone look at is no burden to users; of Django's own needs Django knows."""
    own = "".join(one.text for one in modules if one.name not in ("arpent.cli.doctor", "arpent.cli.exits"))
    known = packages_distributions()
    for requirement in _requirements({**project, "dependency-groups": {"dev": []}, "build-system": {"requires": []}}):
        name = re.split(r"[<>=\[]", requirement)[0]
        imported = [module for module, names in known.items() if _plain(name) in map(_plain, names)]
        used = any(re.search(rf"\b{module}\b", own) for module in imported)
        assert used or name in ("arpent", "psycopg"), f"nothing under src needs {name}"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_lock_holds_hashes_and_no_address(root: Path) -> None:
    lock = (root / "requirements.lock").read_text("utf-8")
    assert "://" not in lock
    assert not re.search(r"^-", lock, re.MULTILINE), "no option lines"
    for block in re.split(r"\n(?=\w)", lock.strip()):
        assert "--hash=sha256:" in block, block.splitlines()[0]


def test_the_lock_holds_what_the_project_asks_for(project: dict[str, Any], root: Path) -> None:
    """A dependency added without `make lock` is found here."""
    lock = (root / "requirements.lock").read_text("utf-8")
    locked = set(re.findall(r"^([a-z0-9._-]+)==", lock, re.MULTILINE))
    asked = {re.split(r"[<>=\[]", entry)[0] for entry in _requirements(project)} - {"arpent"}
    assert asked <= locked


def test_other_programs_are_pinned_too(root: Path) -> None:
    """What `make bench-peers` installs: one version of each, and no address."""
    folder = root / "bench" / "peer_ways"
    pinned = (folder / "requirements.txt").read_text("utf-8").splitlines()
    assert [line for line in pinned if not re.fullmatch(r"[a-z0-9._-]+==[^\s:/]+", line)] == []
    asked = [line for line in (folder / "requirements.in").read_text("utf-8").splitlines() if not line.startswith("#")]
    names = {line.partition("==")[0] for line in pinned}
    assert {name.replace(".", "-") for name in asked} <= names


def test_the_wheel_holds_the_package_and_nothing_else(root: Path, tracked: list[Path], tmp_path: Path) -> None:
    """Built as pip builds it: code, tables, bundles, the page, `py.typed`; no tests."""
    source = root / "src"
    wanted = {str(path.relative_to(source)) for path in tracked if path.is_relative_to(source)}
    (wheel,) = WheelBuilder(str(root)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        about = {name.partition("/")[2] for name in archive.namelist()} - {name.partition("/")[2] for name in held}
    assert held == wanted
    assert "arpent/py.typed" in held
    assert about == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def test_one_version(project: dict[str, Any], root: Path) -> None:
    assert project["project"]["version"] == arpent.__version__
    assert yaml.safe_load((root / "CITATION.cff").read_text("utf-8"))["version"] == arpent.__version__
    versions = re.findall(r"^## \[?(\d+\.\d+\.\d+)", (root / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert versions[:1] == [arpent.__version__], "the top version of CHANGELOG.md"


def test_nothing_heavy_is_kept(tracked: list[Path]) -> None:
    heavy = {path.name: path.stat().st_size for path in tracked if path.stat().st_size > 3_000_000}
    assert heavy == {}


def test_every_shipped_example_is_run(root: Path, tracked: list[Path]) -> None:
    """Each file under examples/ is named by a test: an example that nobody runs will lie one day."""
    tests = "\n".join(path.read_text("utf-8") for path in tracked if path.suffix == ".py" and "tests" in path.parts)
    examples = [path for path in tracked if "examples" in path.relative_to(root).parts[:1] and path.suffix != ".md"]
    assert [str(path.relative_to(root)) for path in examples if path.name not in tests] == []


def test_make_lists_its_own_targets(root: Path) -> None:
    makefile = (root / "Makefile").read_text("utf-8")
    for target in ("demo", "test", "lint", "types", "arch", "bench", "bench-peers", "docs", "lock", "wheel"):
        assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE), target
    assert "make test" in (root / ".ci" / "run").read_text("utf-8")
