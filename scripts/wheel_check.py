"""Builds wheel and sdist, and tries the wheel as a stranger does: ``make wheel``, ``make lowest``.

1. The wheel holds every file of the package and nothing else; the sdist holds what builds and tests it.
2. In a fresh environment without torch the commands that read, describe and keep runs work; one that needs more says in
   a line what to install.
3. The tests of the rooms below the engine pass against the installed wheel, with the sources out of reach.
4. With the part ``web`` the map is served, still without torch.
5. With ``--whole``: in a second environment, with all parts, the tests of the rooms that need them pass too, all but
   the slow ones; room by room, so that one that fails hides no other.

Packages come from the index that uv is set to, in the versions of requirements.lock; with ``--lowest`` what
pyproject.toml names comes in the lowest version that it allows, and what those ask for in the newest that they accept.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import urllib.request
import zipfile
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from urllib.error import URLError

ROOT = Path(__file__).resolve().parent.parent
UV = (sys.executable, "-m", "uv")
TESTS = ("core", "language", "store", "tiling")
"""Rooms whose tests run against the wheel: they need no torch."""
WHOLE = (
    *TESTS,
    "pixels",
    "metrics",
    "report",
    "testing",
    "io",
    "data",
    "models",
    "engine",
    "api",
    "demo",
    "web",
    "tasks",
    "cli",
)
"""Rooms whose tests run where all parts are installed, the quick ones first; the others look at the repository."""
TORCH = ROOT / "tests" / "core" / "test_lazy.py"
"""It looks into every room, and is left out."""
MESSAGES = ROOT / "tests" / "web" / "test_messages.py"
"""It looks at a script of the repository, with what that script needs."""
TOOLS = (
    "h5netcdf",
    "hypothesis",
    "jsonschema",
    "maplibre",
    "moto",
    "mypy",
    "pandas",
    "playwright",
    "psutil",
    "pytest",
    "rio-cogeo",
    "rio-tiler",
    "scikit-learn",
    "spyndex",
    "types-pyyaml",
    "xarray",
)
"""Of the group ``dev``: what these tests import."""
OFFLINE = (sys.executable, ROOT / "scripts" / "offline.py")
"""Tests run without a network, as those of ``make test`` do."""
OLD = ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning", "ResourceWarning")
"""What is said of a library of years ago, of its newer neighbours or of files that it leaves open: no fault of ours."""
SINGLE = {f"{library}_NUM_THREADS": "1" for library in ("MKL", "NUMBA", "OMP", "OPENBLAS", "RAYON")}
"""One thread, as the tests of ``make test`` have: on a busy machine several wait for each other."""
COMMANDS = (
    ("--help",),
    ("--version",),
    ("doctor",),
    ("simulate", "-o", "land", "--sensor", "sentinel-2-l2a", "--size", "64", "--scenes", "1"),
    ("stats", "{image}", "-o", "stats.json"),
    ("describe", "indices", "{image}", "-o", "runs/indices"),
    ("describe", "caption", "{table}", "-o", "captions.jsonl"),
    ("models", "list"),
    ("runs", "list"),
    ("runs", "verify", "runs/indices"),
)
"""What works without torch, in an order in which it can be done."""


def checked(*words: object, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Standard output of a command that must end well."""
    done = subprocess.run([str(word) for word in words], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(str(word) for word in words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def said(line: str) -> None:
    """Says how far it is."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)


def built(target: Path) -> Path:
    """Builds both; returns the wheel."""
    checked(*UV, "build", "--quiet", "--no-build-isolation", "--python", sys.executable, "--out-dir", target, ROOT)
    (wheel,) = target.glob("arpent-*.whl")
    (source,) = target.glob("arpent-*.tar.gz")
    listed = checked("git", "ls-files", "--cached", "--others", "--exclude-standard", "src/arpent", cwd=ROOT)
    wanted = {name.removeprefix("src/") for name in listed.splitlines() if (ROOT / name).is_file()}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    if held != wanted:
        sys.exit(f"the wheel lacks {sorted(wanted - held)} and should not hold {sorted(held - wanted)}")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in (
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "requirements.lock",
        "tests/conftest.py",
        *map("src/{}".format, wanted),
    ):
        if name not in names:
            sys.exit(f"the sdist lacks {name}")
    sizes = ", ".join(f"{one.name} {one.stat().st_size / 1e6:.1f} MB" for one in (wheel, source))
    said(f"built: {sizes}; {len(held)} files in the wheel")
    return wheel


def versions(folder: Path, python: str, *, lowest: bool) -> Path:
    """A file of the versions that packages may have."""
    if not lowest:
        return ROOT / "requirements.lock"
    target = folder / "lowest.txt"
    target.unlink(missing_ok=True)  # what it says would be kept
    words = ("--quiet", "--all-extras", "--resolution", "lowest-direct", "--python", python, "--no-header")
    checked(*UV, "pip", "compile", ROOT / "pyproject.toml", *words, "-o", target)
    # What is pinned is what pyproject.toml names: the rest must also suit what the tests import.
    pins = [line for line in target.read_text("utf-8").splitlines() if line.partition("==")[0] in named()]
    target.write_text("\n".join(pins), "utf-8")
    return target


def named() -> set[str]:
    """The packages that pyproject.toml names, in any part."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [one for part in project["optional-dependencies"].values() for one in part]
    return {re.split(r"[<>=\[]", one)[0] for one in [*project["dependencies"], *asked]}


def made(python: str, folder: Path) -> Path:
    """The Python of an empty environment."""
    checked(python, "-m", "venv", "--without-pip", "--clear", folder)
    return folder / "bin" / "python"


def installed(python: Path, limits: Path, *packages: object) -> None:
    """Installs packages in an environment, in the versions of a file where it names them."""
    checked(*UV, "pip", "install", "--quiet", "--python", python, "--constraint", limits, *packages)


def without_torch(python: Path, folder: Path) -> None:
    """Commands that need no torch, and one that does."""
    arpent = python.with_name("arpent")
    for words in COMMANDS:
        image = next(folder.glob("land/*/image_*.tif"), Path("none"))
        table = next(folder.glob("runs/indices/*.parquet"), Path("none"))
        checked(arpent, *(word.format(image=image, table=table) for word in words), cwd=folder)
    image = next(folder.glob("land/*/image_*.tif"))
    words = ("landcover", "predict", str(image), "--model", "none.safetensors", "-o", "runs/map")
    done = subprocess.run([arpent, *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 8 or "pip install 'arpent[learn]'" not in done.stderr or done.stderr.count("\n") != 1:
        sys.exit(f"what lacks torch should say so in a line and end with 8, not {done.returncode}:\n{done.stderr}")
    said(f"without torch: {len(COMMANDS)} commands work; one that needs it says what to install")


def lacks_torch(python: Path) -> None:
    """Ends where torch has come along with what was installed."""
    checked(python, "-c", "import importlib.util as u, sys; sys.exit(u.find_spec('torch') and 'torch is installed')")


def tested(python: Path, folder: Path, room: str, *words: object) -> bool:
    """Whether the tests of a room pass against the installed package: run elsewhere, with no source to be imported."""
    place = json.loads(checked(python, "-c", "import arpent, json; print(json.dumps(arpent.__file__))", cwd=folder))
    if "site-packages" not in place:
        sys.exit(f"arpent is imported from {place}, and not from the environment")
    which = ("-m", "not alone and not faults and not slow", "-c", ROOT / "pyproject.toml", "--rootdir", ROOT)
    words = (
        *OFFLINE,
        python,
        "-m",
        "pytest",
        "-q",
        "--tb=short",
        "-p",
        "no:cacheprovider",
        *which,
        *words,
        ROOT / "tests" / room,
    )
    env = os.environ | SINGLE
    done = subprocess.run(
        [str(word) for word in words], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"{done.stdout}{done.stderr}")
    said(f"tests of {room} against the wheel: {done.stdout.strip().splitlines()[-1].strip('= ')}")
    return done.returncode == 0


def served(python: Path, folder: Path) -> None:
    """The map, asked once over loopback."""
    env = os.environ | {"DATA_PATH": str(folder / "map"), "NO_PROXY": "127.0.0.1"}
    words = [python.with_name("arpent"), "map", "serve", "runs", "--port", "0", "--no-open"]
    with subprocess.Popen(words, cwd=folder, env=env, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = None
        while found is None:
            line = server.stdout.readline()
            if not line:
                sys.exit("the map ended before it was served")
            found = re.search(r"http://\S+", line)
        address = found[0]
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:
                page = answer.read().decode()
        except URLError as problem:
            sys.exit(f"the map does not answer at {address}: {problem}")
        finally:
            server.terminate()
    if "<title>" not in page:
        sys.exit(f"the map answers with something else:\n{page[:300]}")
    said("with the part web, without torch: the map is served")


def tools() -> list[str]:
    """What the tests import besides, as the group ``dev`` asks for it."""
    group = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]["dev"]
    return [one for one in group if re.split(r"[>\[]", one)[0] in TOOLS]


def tried(wheel: Path, limits: Path, folder: Path, wanted: argparse.Namespace) -> list[str]:
    """Does all with a wheel; returns the rooms whose tests fail."""
    rooms = wanted.rooms if wanted.rooms is not None else WHOLE if wanted.whole else TESTS
    python = made(wanted.python, folder / "core")
    installed(python, limits, wheel)
    lacks_torch(python)
    with tempfile.TemporaryDirectory() as work:
        without_torch(python, Path(work))
        installed(python, limits, f"{wheel}[web]")
        lacks_torch(python)
        served(python, Path(work))
        if wanted.whole:
            python = made(wanted.python, folder / "whole")
            installed(python, limits, f"{wheel}[all]")
        installed(python, limits, *tools())
        words = ["--ignore", MESSAGES, *([] if wanted.whole else ["--ignore", TORCH])]
        if wanted.lowest:
            words += [word for name in OLD for word in ("-W", f"ignore::{name}")]
        return [room for room in rooms if not tested(python, Path(work), room, *words)]


def main() -> None:
    """Does all of it; ends with 1 and the reason where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "dist", help="where wheel and sdist go (dist)")
    parser.add_argument("--lowest", action="store_true", help="the lowest versions that pyproject.toml allows")
    parser.add_argument("--whole", action="store_true", help="with all parts, torch among them: some gigabytes")
    parser.add_argument("--python", default=sys.executable, help="another Python to try it on: python3.13")
    parser.add_argument("--rooms", nargs="*", help="whose tests are run (those that can be)")
    parser.add_argument("--keep", type=Path, help="a folder for the environments, which stay there")
    wanted = parser.parse_args()
    with nullcontext(wanted.keep) if wanted.keep else tempfile.TemporaryDirectory() as given:
        folder = Path(given)
        folder.mkdir(parents=True, exist_ok=True)
        wanted.output.mkdir(parents=True, exist_ok=True)
        for old in wanted.output.glob("arpent-*"):
            old.unlink()
        wheel = built(wanted.output)
        failed = tried(wheel, versions(folder, wanted.python, lowest=wanted.lowest), folder, wanted)
    if failed:
        sys.exit(f"tests fail against the wheel: {', '.join(failed)}")


if __name__ == "__main__":
    main()
