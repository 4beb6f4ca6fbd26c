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
from arpent.cli.places import Spoken
from arpent.core import Language, shown_address
from arpent.errors import EnvironmentLack
from arpent.language import language_named, number, say
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

_TITLES = {
    "disk (results)": "doctor.disk_results",
    "disk (scratch)": "doctor.disk_scratch",
    "memory": "doctor.memory",
    "models": "doctor.models",
    "network": "doctor.network",
    "processors": "doctor.processors",
}
"""The phrases that findings are called by; the others are names of programs."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what, the same in every language.
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
    language: Spoken = "en",
) -> None:
    """Look at this machine and say what to improve."""
    spoken = language_named(language)
    findings = list(examine(folder, offline=offline, language=spoken))
    marks = {"ok": "doctor.ok", "advice": "doctor.better", "broken": "doctor.broken"}
    rows = [(_title(one.name, spoken), say(marks[one.state], spoken), one.found, one.advice) for one in findings]
    heads = [say(f"doctor.{head}", spoken) for head in ("state", "found", "advice")]
    show({"findings": findings}, table(["", *heads], rows))
    broken = [one.name for one in findings if one.state == "broken"]
    if broken:
        raise EnvironmentLack(
            f"Arpent cannot work well here: {', '.join(broken)}", cure="Follow the advice in the table above."
        )


def _title(name: str, language: Language) -> str:
    """What a finding is called in front of people."""
    if name.startswith("part ["):
        return say("doctor.part", language, extra=name[len("part [") : -1])
    return say(_TITLES[name], language) if name in _TITLES else name


def examine(folder: Path, *, offline: bool = False, language: Language = "en") -> Iterator[Finding]:
    """Looks at everything, the quick things first.

    Args:
        folder: where results would be written.
        offline: leaves the network out.
        language: of what is found and advised.
    """
    yield _arpent()
    probes: list[Callable[[Language], Finding]] = [_gdal, _torch, _openvino, _processors, _memory]
    for probe in probes:
        yield probe(language)
    yield _disk("results", folder, language)
    yield _disk("scratch", Path(tempfile.gettempdir()), language)
    yield _models(language)
    if not offline:
        yield _network(language)
    for extra, modules in _EXTRAS.items():
        yield _extra(extra, modules, language)


def _arpent() -> Finding:
    return Finding("arpent", "ok", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")


def _gdal(language: Language = "en") -> Finding:
    try:
        rasterio = import_module("rasterio")
    except ImportError as problem:
        return Finding("gdal", "broken", str(problem), say("doctor.arpent_again", language))
    return Finding("gdal", "ok", f"{rasterio.__gdal_version__} (rasterio {rasterio.__version__})")


def _torch(language: Language = "en") -> Finding:
    if find_spec("torch") is None:
        return Finding("torch", "advice", say("doctor.not_installed", language), say("doctor.for_torch", language))
    try:
        torch = import_module("torch")
    except (ImportError, OSError) as problem:
        return Finding("torch", "broken", f"{problem}".partition("\n")[0], say("doctor.torch_again", language))
    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("Apple GPU")
    if devices:
        return Finding("torch", "ok", f"{torch.__version__}; {', '.join(devices)}")
    found = say("doctor.cpu_only", language, version=torch.__version__)
    return Finding("torch", "advice", found, say("doctor.no_gpu", language))


def _openvino(language: Language = "en") -> Finding:
    if find_spec("openvino") is None:
        absent, advice = say("doctor.not_installed", language), say("doctor.for_openvino", language)
        return Finding("openvino", "advice", absent, advice)
    try:
        openvino = import_module("arpent.models.openvino").openvino()  # importing it plainly reports to its maker
        devices = openvino.Core().available_devices
    except (ImportError, OSError, RuntimeError) as problem:
        return Finding("openvino", "broken", f"{problem}".partition("\n")[0], say("doctor.openvino_again", language))
    return Finding("openvino", "ok", f"{openvino.__version__.split('-')[0]}; {', '.join(devices)}")


def _processors(language: Language = "en") -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    if limit.isdecimal() and int(limit) < usable:
        return Finding(
            "processors",
            "advice",
            say("doctor.limited", language, usable=usable, limit=limit),
            say("doctor.unset_threads", language),
        )
    return Finding("processors", "ok", str(usable))


def _memory(language: Language = "en") -> Finding:
    free = _free_memory()
    if free is None:
        return Finding("memory", "ok", say("doctor.unknown_memory", language))
    found = say("doctor.free_memory", language, free=number(free / _GIB, language, 1))
    if free < _LITTLE_MEMORY:
        return Finding("memory", "advice", found, say("doctor.smaller", language))
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


def _disk(name: str, folder: Path, language: Language = "en") -> Finding:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    found = say("doctor.free_disk", language, free=number(free / _GIB, language, 1), place=place)
    if not os.access(place, os.W_OK):
        closed = say("doctor.not_writable", language, place=place)
        return Finding(f"disk ({name})", "broken", closed, say("doctor.choose_folder", language))
    if free < _NO_DISK:
        return Finding(f"disk ({name})", "broken", found, say("doctor.free_some", language))
    if free < _LITTLE_DISK:
        return Finding(f"disk ({name})", "advice", found, say("doctor.free_more", language))
    return Finding(f"disk ({name})", "ok", found)


def _models(language: Language = "en") -> Finding:
    from arpent.models.published import models_folder, published_names, weights_file
    from arpent.models.shipped import shipped_names
    from arpent.store import bundles_under

    folder = models_folder()
    own = sum(1 for _ in bundles_under(folder)) if folder.is_dir() else 0
    published = [name for name in published_names() if weights_file(name, folder)]
    shipped = len(shipped_names())
    found = say("doctor.bundles", language, shipped=shipped, own=own, published=len(published), folder=folder)
    if shipped or own or published:
        return Finding("models", "ok", found)
    return Finding("models", "advice", found, say("doctor.fetch", language))


def _network(language: Language = "en") -> Finding:
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    shown = shown_address(address).partition("?")[0]  # whether somebody answers is known without a password
    if not address.startswith(("https://", "http://")):
        return Finding("network", "advice", f"HF_ENDPOINT={shown!r}", say("doctor.secure_address", language))
    request = urllib.request.Request(shown, method="HEAD")  # noqa: S310 - the scheme is checked above
    try:
        with urllib.request.urlopen(request, timeout=3):  # noqa: S310 - the same
            return Finding("network", "ok", say("doctor.answers", language, address=shown))
    except urllib.error.HTTPError as problem:
        problem.close()
        return Finding("network", "ok", say("doctor.answers_status", language, address=shown, status=str(problem.code)))
    except OSError as problem:  # URLError is one
        reason = f"{shown}: {getattr(problem, 'reason', problem)}"
        return Finding("network", "advice", reason, say("doctor.download_elsewhere", language))


def _extra(extra: str, modules: tuple[str, ...], language: Language = "en") -> Finding:
    missing = [module for module in modules if find_spec(module) is None]
    if not missing:
        return Finding(f"part [{extra}]", "ok", say("doctor.installed", language))
    lacking = say("doctor.lacks", language, modules=", ".join(missing))
    return Finding(f"part [{extra}]", "advice", lacking, say("doctor.if_needed", language, extra=extra))
