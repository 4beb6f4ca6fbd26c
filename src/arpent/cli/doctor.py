"""``arpent doctor``: what this machine has, and one line of advice for each thing that could be better."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from arpent.cli.console import show, table
from arpent.core import shown_address
from arpent.errors import EnvironmentLack
from arpent.version import __version__

__all__ = ["Finding", "app", "examine"]

app = typer.Typer(help="Look at this machine and say what to improve.")

_GIB = 1 << 30
_LITTLE_MEMORY = 4 * _GIB
_LITTLE_DISK = 10 * _GIB
_NO_DISK = _GIB // 4

_EXTRAS = {
    "learn": ("torch", "accelerate", "timm", "segmentation_models_pytorch"),
    "language": ("transformers", "peft"),
    "web": ("django", "ninja"),
    "fast": ("openvino", "onnxruntime"),
    "cluster": ("ray",),
    "xarray": ("xarray",),
}
"""The modules by which each optional part of Arpent is recognised."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what.
        state: "ok"; "advice" when Arpent works and could do better; "broken" when it cannot work.
        found: what is there.
        advice: what to do; empty when it is fine.
    """

    name: str
    state: Literal["ok", "advice", "broken"]
    found: str
    advice: str = ""


@app.command()
def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Leave out the look at the network.")] = False,
    folder: Annotated[Path, typer.Option("--folder", help="Where the results will go.")] = Path(),
) -> None:
    """Look at this machine and say what to improve."""
    findings = list(examine(folder, offline=offline))
    marks = {"ok": "ok", "advice": "could be better", "broken": "BROKEN"}
    rows = [(one.name, marks[one.state], one.found, one.advice) for one in findings]
    show({"findings": findings}, table(["", "state", "found", "advice"], rows))
    broken = [one.name for one in findings if one.state == "broken"]
    if broken:
        raise EnvironmentLack(
            f"Arpent cannot work well here: {', '.join(broken)}", cure="Follow the advice in the table above."
        )


def examine(folder: Path, *, offline: bool = False) -> Iterator[Finding]:
    """Looks at everything, the quick things first.

    Args:
        folder: where results would be written.
        offline: leaves the network out.
    """
    probes: list[Callable[[], Finding]] = [_arpent, _gdal, _torch, _openvino, _processors, _memory]
    for probe in probes:
        yield probe()
    yield _disk("results", folder)
    yield _disk("scratch", Path(tempfile.gettempdir()))
    yield _models()
    if not offline:
        yield _network()
    for extra, modules in _EXTRAS.items():
        yield _extra(extra, modules)


def _arpent() -> Finding:
    return Finding("arpent", "ok", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")


def _gdal() -> Finding:
    try:
        rasterio = import_module("rasterio")
    except ImportError as problem:
        return Finding("gdal", "broken", str(problem), "Install Arpent again in a fresh virtual environment.")
    return Finding("gdal", "ok", f"{rasterio.__gdal_version__} (rasterio {rasterio.__version__})")


def _torch() -> Finding:
    if find_spec("torch") is None:
        return Finding("torch", "advice", "not installed", "To train and predict: pip install 'arpent[learn]'.")
    try:
        torch = import_module("torch")
    except (ImportError, OSError) as problem:
        return Finding(
            "torch", "broken", f"{problem}".partition("\n")[0], "Install the build of torch for this machine."
        )
    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("Apple GPU")
    if devices:
        return Finding("torch", "ok", f"{torch.__version__}; {', '.join(devices)}")
    advice = "No GPU: training large models will be slow; prediction on CPU is fine, with --runtime openvino above all."
    return Finding("torch", "advice", f"{torch.__version__}; CPU only", advice)


def _openvino() -> Finding:
    if find_spec("openvino") is None:
        return Finding("openvino", "advice", "not installed", "For fast prediction on CPU: pip install 'arpent[fast]'.")
    try:
        openvino = import_module("arpent.models.openvino").openvino()  # importing it plainly reports to its maker
        devices = openvino.Core().available_devices
    except (ImportError, OSError, RuntimeError) as problem:
        return Finding("openvino", "broken", f"{problem}".partition("\n")[0], "Install it again: arpent[fast].")
    return Finding("openvino", "ok", f"{openvino.__version__.split('-')[0]}; {', '.join(devices)}")


def _processors() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    if limit.isdecimal() and int(limit) < usable:
        return Finding(
            "processors",
            "advice",
            f"{usable}, of which {limit} may be used",
            "Unset OMP_NUM_THREADS to let Arpent use them all.",
        )
    return Finding("processors", "ok", str(usable))


def _memory() -> Finding:
    free = _free_memory()
    if free is None:
        return Finding("memory", "ok", "unknown on this system")
    found = f"{free / _GIB:.1f} GiB free"
    if free < _LITTLE_MEMORY:
        return Finding("memory", "advice", found, "Use smaller tiles and batches, or close other programs.")
    return Finding("memory", "ok", found)


def _free_memory() -> int | None:
    """Bytes that this process could still take: the machine's, or what is left of its control group's."""
    table_of = Path("/proc/meminfo")
    if not table_of.exists():
        return None
    lines = dict(line.split(":", 1) for line in table_of.read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    group = Path("/sys/fs/cgroup")
    limit, used = group / "memory.max", group / "memory.current"
    if limit.exists() and used.exists() and limit.read_text().strip().isdecimal():
        free = min(free, int(limit.read_text()) - int(used.read_text()))
    return free


def _disk(name: str, folder: Path) -> Finding:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    found = f"{free / _GIB:.1f} GiB free in {place}"
    if not os.access(place, os.W_OK):
        return Finding(f"disk ({name})", "broken", f"{place} may not be written", "Choose another folder.")
    if free < _NO_DISK:
        return Finding(f"disk ({name})", "broken", found, "Free some space.")
    if free < _LITTLE_DISK:
        return Finding(f"disk ({name})", "advice", found, "Large images need more: free some space.")
    return Finding(f"disk ({name})", "ok", found)


def _models() -> Finding:
    from arpent.models.published import models_folder, published_names, weights_file
    from arpent.store import bundles_under

    folder = models_folder()
    own = sum(1 for _ in bundles_under(folder)) if folder.is_dir() else 0
    published = [name for name in published_names() if weights_file(name, folder)]
    found = f"{own} bundles and {len(published)} published models in {folder}"
    if own or published:
        return Finding("models", "ok", found)
    return Finding("models", "advice", found, "Fetch one: arpent models fetch NAME (arpent models list shows them).")


def _network() -> Finding:
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    shown = shown_address(address).partition("?")[0]  # whether somebody answers is known without a password
    offline = "Published models must be downloaded elsewhere; arpent models fetch NAME says which files."
    if not address.startswith(("https://", "http://")):
        return Finding("network", "advice", f"HF_ENDPOINT is {shown!r}", "Give it an https:// address.")
    request = urllib.request.Request(shown, method="HEAD")  # noqa: S310 - the scheme is checked above
    try:
        with urllib.request.urlopen(request, timeout=3):  # noqa: S310 - the same
            return Finding("network", "ok", f"{shown} answers")
    except urllib.error.HTTPError as problem:
        problem.close()
        return Finding("network", "ok", f"{shown} answers with status {problem.code}")
    except OSError as problem:  # URLError is one
        return Finding("network", "advice", f"{shown}: {getattr(problem, 'reason', problem)}", offline)


def _extra(extra: str, modules: tuple[str, ...]) -> Finding:
    missing = [module for module in modules if find_spec(module) is None]
    if not missing:
        return Finding(f"part [{extra}]", "ok", "installed")
    return Finding(
        f"part [{extra}]", "advice", f"lacks {', '.join(missing)}", f"If you need it: pip install 'arpent[{extra}]'."
    )
