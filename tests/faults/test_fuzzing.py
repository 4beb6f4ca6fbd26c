"""Files that are broken or hostile, through the commands: one line, in time, in bounds, and nothing touched but `out`.

``make test`` draws a hundred mutations, ``make faults`` thousands of others; ARPENT_FUZZ says how many of each target,
ARPENT_FUZZ_SEED from which seed on. What did harm once stands in `test_found.py`, as small as it can be.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio

from arpent.cli.exits import EXIT_CODES
from arpent.testing.forks import Ended, Limits
from arpent.testing.mutations import mutate

GENTLE = {0, *EXIT_CODES.values()}
LIMITS = Limits(memory=3 << 29, seconds=30)


@dataclass(frozen=True)
class Target:
    """A command and the file that is changed before it runs.

    Attributes:
        form: of the file.
        file: that is changed; made by the stock, and looked for in its folder.
        command: its words, before ``-o out``.
        made: attributes of the stock that make its inputs; all of the stock is copied but what others need.
        output: where it writes.
        quick: whether ``make test`` draws some of it.
        places: whether the configuration names folders of products.
    """

    form: str
    file: str
    command: str
    made: tuple[str, ...]
    output: str
    quick: bool
    places: bool

    @property
    def name(self) -> str:
        words = self.command.split()
        return f"{' '.join(words[:2])} · {self.file}"


def _targets() -> Iterator[Target]:
    """The rows of ``targets.txt``: format, file that is changed, command, what is made for it, and where it writes."""
    for line in Path(__file__).with_name("targets.txt").read_text("utf-8").splitlines():
        form, file, command, made, more = (cell.strip() for cell in line.split("|"))
        words = more.split()
        quick, places = (words.count(word) > 0 for word in ("quick", "places"))
        output = " ".join(word for word in words if word not in ("quick", "places")) or "-o out"
        yield Target(form, file, command, tuple(made.split()), output.strip("-") and output, quick, places)


TARGETS = tuple(_targets())


@dataclass(frozen=True)
class Outcome:
    """What a mutated file did.

    Attributes:
        target, seed: bring it back.
        mutation: its name.
        ended: how the command ended.
        harm: what it should not have done; None if nothing.
    """

    target: Target
    seed: int | None
    mutation: str
    ended: Ended
    harm: str | None

    def __str__(self) -> str:
        last = self.ended.said.strip().splitlines()[-1:] or [""]
        where = f"{self.target.form} {self.target.name} seed {self.seed} ({self.mutation})"
        return f"{where}: {self.harm}: {last[0][-300:]}"


def seen(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder but what is in `out`: its size and the moment of its last change."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if not path.is_dir() and path.relative_to(folder).parts[:3] != ("a", "b", "out")
    }


def harm(ended: Ended, before: Mapping[str, object], after: Mapping[str, object], *, alone: bool) -> str | None:
    """What a command must not do, whatever it is given; `alone` if it may make files in `out` only."""
    if ended.status in (-signal.SIGALRM, -signal.SIGXCPU):
        # A file can say that it lies a continent away: a mosaic of both is large, and says how long it will take.
        return None if re.search(r"\d left", ended.said) else "hangs"
    if ended.status < 0:
        return f"dies by signal {-ended.status}"
    if ended.status not in GENTLE:
        return "a defect" if "a defect of Arpent" in ended.said else f"ends with {ended.status}"
    if "Traceback" in ended.said:
        return "a traceback"
    # GDAL and others write past Python, whose strays tell nothing of them.
    changed = {name for name, _ in before.items() - after.items()} | ({*after} - {*before} if alone else set())
    if elsewhere := [*ended.strays, *sorted(changed)]:
        return f"writes elsewhere: {elsewhere[:3]}"
    return None


Fuzz = Callable[[Target, int | None], Outcome]


@pytest.fixture(scope="module")
def fuzz(forks, stock, root, tmp_path_factory) -> Fuzz:
    """Runs a target with the mutation of a seed; with None, with its file as it was."""
    sandbox = tmp_path_factory.mktemp("fuzz")
    compiled = Path(os.path.realpath(root / "src"))  # where numba keeps what it has compiled

    def run(target: Target, seed: int | None) -> Outcome:
        for attribute in target.made:
            getattr(stock, attribute)
        shutil.rmtree(sandbox)
        case = sandbox / "a" / "b"
        (case / "out").mkdir(parents=True)
        shutil.copytree(stock.home, case, copy_function=os.link, dirs_exist_ok=True)
        content = (stock.home / target.file).read_bytes()
        mutation, changed = mutate(content, target.form, seed) if seed is not None else ("none", content)
        (case / target.file).unlink()
        (case / target.file).write_bytes(changed)
        before = seen(sandbox)
        words = [*target.command.split(), *target.output.split()]
        env = {"ARPENT_CACHE": str(case / "out" / "cache")}
        may_write = [case if target.places else case / "out", compiled]
        ended = forks.run(words, case, limits=LIMITS, may_write=may_write, env=env)
        outcome = Outcome(target, seed, mutation, ended, harm(ended, before, seen(sandbox), alone=not target.places))
        if seed is not None:
            forks.part.files += 1
            forks.part.harm += outcome.harm is not None
            forks.part.unfinished += word(outcome) == "still at work"
        return outcome

    return run


@pytest.fixture(scope="module")
def tally(request) -> Iterator[dict[Target, Counter[str]]]:
    """How often each target ended how; printed at the end."""
    counts: dict[Target, Counter[str]] = {}
    yield counts
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    for target, counter in counts.items():
        told = ", ".join(f"{kind} {count}" for kind, count in counter.most_common())
        reporter.write_line(f"{target.form:11} {target.name:58} {told}")


def word(outcome: Outcome) -> str:
    """An outcome for the table."""
    status = outcome.ended.status
    return outcome.harm or ("done" if status == 0 else f"exit {status}" if status > 0 else "still at work")


def harmful(fuzz: Fuzz, target: Target, seeds: range, counter: Counter[str]) -> list[str]:
    """What did harm of some mutations of a target."""
    outcomes = [fuzz(target, seed) for seed in seeds]
    counter.update(map(word, outcomes))
    return [str(outcome) for outcome in outcomes if outcome.harm]


@pytest.mark.faults
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_thousands_of_mutations(fuzz: Fuzz, tally, target: Target) -> None:
    """Sixty of each of 39 targets; every target does what it should with its file as it was."""
    first = int(os.environ.get("ARPENT_FUZZ_SEED", "1000"))
    seeds = range(first, first + int(os.environ.get("ARPENT_FUZZ", "60")))
    assert fuzz(target, None).ended.status == 0
    assert not harmful(fuzz, target, seeds, tally.setdefault(target, Counter()))


@pytest.mark.parametrize("target", [one for one in TARGETS if one.quick], ids=lambda target: target.name)
def test_a_hundred_mutations(fuzz: Fuzz, target: Target) -> None:
    assert fuzz(target, None).ended.status == 0
    assert not harmful(fuzz, target, range(10), Counter())


def test_what_gdal_writes_beside_an_image_is_harm(tmp_path: Path) -> None:
    """The library writes by itself, where the watch over Python sees nothing."""
    image, shape = tmp_path / "land.tif", {"width": 2, "height": 2, "count": 1, "dtype": "uint8"}
    with rasterio.open(image, "w", driver="GTiff", transform=rasterio.Affine(1, 0, 5, 0, -1, 5), **shape) as made:
        made.write(np.arange(4, dtype=np.uint8).reshape(1, 2, 2))
    before = seen(tmp_path)
    with rasterio.open(image) as opened:
        opened.stats(indexes=1)
    after = seen(tmp_path)
    assert {*after} - {*before} == {"land.tif.aux.xml"}
    ended = Ended(0, "", 1.0, 1.0, 1)
    assert "land.tif.aux.xml" in str(harm(ended, before, after, alone=True))
    assert harm(ended, before, after, alone=False) is None
    assert harm(ended, before, before, alone=True) is None
    assert "land.tif" in str(harm(ended, after, before, alone=False)), "what was there is gone"
