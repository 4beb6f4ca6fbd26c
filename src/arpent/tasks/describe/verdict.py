"""What the figures of an evaluation say, in plain words, the gravest first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from arpent.core import Language
from arpent.language import number, say
from arpent.metrics import Figure, Interval
from arpent.tasks.describe.judging import Judged, Method
from arpent.tasks.describe.targets import MOST_REPAIRS, Reached, reached, repair_rate

__all__ = ["Dependence", "dependence", "failed", "plain_words", "target_words"]

_FLOOR = 0.05
"""By how much texts of other images may score above the constant caption, as far as its interval tells, and still
count as fallen to it."""


@dataclass(frozen=True)
class Dependence:
    """Whether texts follow from their images.

    Attributes:
        model: hit@.05 of the texts.
        permuted: of texts of other images.
        loss: what the swap takes away, with its interval.
        constant: hit@.05 of the constant caption; None where nobody knows it.
        rest: by how much texts of other images are better than that.
    """

    model: float
    permuted: float
    loss: Interval
    constant: float | None = None
    rest: Interval | None = None

    @property
    def depends(self) -> bool:
        """Whether the texts lose by the swap, by more than parcels differ by chance."""
        return math.isfinite(self.loss.low) and self.loss.low > 0

    @property
    def falls(self) -> bool | None:
        """Whether what is left is no more than the constant caption; None where that is not known."""
        if self.rest is None:
            return None
        return (self.rest.low if math.isfinite(self.rest.low) else self.rest.value) <= _FLOOR


def dependence(judged: Judged, *, draws: int = 1000, seed: int = 0) -> Dependence:
    """Compares texts with those of other images."""
    model, permuted = judged.tallies["model"], judged.tallies["permuted"]
    loss = model.gain(permuted, "hit05", draws=draws, seed=seed)
    found = Dependence(_hit(judged, "model"), _hit(judged, "permuted"), loss)
    if "constant" not in judged.tallies:
        return found
    rest = permuted.gain(judged.tallies["constant"], "hit05", draws=draws, seed=seed)
    return replace(found, constant=_hit(judged, "constant"), rest=rest)


def _hit(judged: Judged, method: Method) -> float:
    return judged.tallies[method].scores(draws=1)["hit05"]


def failed(judged: Judged) -> bool:
    """Whether the grammar had to write too much of the texts that are held out."""
    rate = repair_rate(judged)
    return rate is not None and rate > MOST_REPAIRS


def plain_words(judged: Judged, language: Language, *, draws: int = 1000, seed: int = 0) -> list[str]:
    """The verdict, sentence by sentence."""
    found = dependence(judged, draws=draws, seed=seed)
    said = [*_of_repairs(judged, language), *_of_image(found, language)]
    for method, name in (("constant", "beats_constant"), ("probe", "beats_probe")):
        if method in judged.tallies:
            said.append(_against(judged, method, name, language, draws=draws, seed=seed))
    said += _of_targets(reached(judged), language)
    said += [say(f"describe_report.{why}", language) for why in dict.fromkeys(judged.lacking.values())]
    return said


def _of_repairs(judged: Judged, language: Language) -> list[str]:
    if judged.mode == "blind" and not any(one.repaired for one in judged.repairs.values()):
        return []
    rate = repair_rate(judged)
    if rate is None:
        rate = repair_rate(judged, tuple(judged.repairs)) or 0.0
    key = "repair_failed" if failed(judged) else "repair_fine"
    return [say(f"describe_report.{key}", language, rate=rate, most=MOST_REPAIRS)]


def _of_image(found: Dependence, language: Language) -> list[str]:
    if not math.isfinite(found.loss.low):
        return [say("describe_report.one_parcel", language)]
    key = "depends" if found.depends else "not_depends"
    said = [say(f"describe_report.{key}", language, model=found.model, permuted=found.permuted)]
    if found.constant is not None and found.depends:
        floor = "falls_to_floor" if found.falls else "stays_above_floor"
        said.append(say(f"describe_report.{floor}", language, permuted=found.permuted, constant=found.constant))
    return said


def _against(judged: Judged, method: Method, name: str, language: Language, *, draws: int, seed: int) -> str:
    gain = judged.tallies["model"].gain(judged.tallies[method], "hit05", draws=draws, seed=seed)
    won = gain.low > 0 if math.isfinite(gain.low) else gain.value > 0
    values: Mapping[str, float] = {"model": _hit(judged, "model"), method: _hit(judged, method)}
    if won and name == "beats_constant":
        values = {**values, "gain": gain.value, "low": gain.low, "high": gain.high}
    return say(f"describe_report.{name if won else f'not_{name}'}", language, **values)


def _of_targets(found: tuple[Reached, ...], language: Language) -> list[str]:
    if not found:
        return [say("describe_report.targets_none", language)]
    missed = [target_words(one, language) for one in found if not one.met]
    return [say("describe_report.misses", language, listed="; ".join(missed))] if missed else []


_WHOSE: Mapping[Method, str] = {"draft": "draft", "permuted": "permuted"}


def target_words(one: Reached, language: Language) -> str:
    """A target in words: "smoke, held-out dates: hit@.05 0.780 (asked ≥ 0.80)"."""
    figure: Figure = one.target.figure
    whose = _WHOSE.get(one.target.method)
    name = say(f"describe_report.{figure}", language)
    if whose:
        name = f"{name} ({say(f'describe_report.{whose}', language)})"
    split = say(f"describe_report.split_{one.split}", language)
    colon = " :" if language == "fr" else ":"
    asked = f"{say('describe_report.asked', language)} {one.target.sign} {number(one.target.bound, language, 2)}"
    target = say(f"describe_report.target_{one.target.name}", language)
    return f"{target}, {split}{colon} {name} {number(one.value, language, 3)} ({asked})"
