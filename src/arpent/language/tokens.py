"""A text as sentences of known words, numbers and dates, in time that grows with its length and no faster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from arpent.core import Language
from arpent.language.vocabulary import Meaning, Phrasebook, fold, vocabulary

__all__ = ["Item", "items_of_sentences"]


@dataclass(frozen=True)
class Item:
    """A phrase, number, date or mark.

    Attributes:
        kind: "word", "number", "date" or "mark".
        start: where it begins in the text.
        end: where it ends.
        text: folded.
        meanings: of a phrase.
        value: of a number; a percentage is a share of one.
        step: what one unit of its last digit is worth.
        percent: whether it is a percentage.
        day: of a date, ISO; shorter where the day or the month is not said, and "--07-21" without a year.
    """

    kind: str
    start: int
    end: int
    text: str
    meanings: tuple[Meaning, ...] = ()
    value: float | None = None
    step: float = 0.0
    percent: bool = False
    day: str = ""

    def means(self, *kinds: str) -> Meaning | None:
        """Its first meaning of one of these kinds."""
        for meaning in self.meanings:
            if meaning.kind in kinds:
                return meaning
        return None


_MOST_DIGITS = 20
_NUMBER = (
    r"(?P<sign>(?<![\w.,%)])(?:\N{MINUS SIGN}[ \xa0]?|[-+]))?(?P<digits>THOUSANDS|\d+(?:[.,]\d+)?|(?<![\w.,])[.,]\d+)"
)
_THOUSANDS = {
    "en": r"[1-9]\d{0,2}(?:,\d{3})+(?![\d.])|[1-9]\d{0,2}(?:,\d{3})+\.\d+|[1-9]\d{0,2}(?:\xa0\d{3})+(?!\d)",
    "fr": r"[1-9]\d{0,2}(?:\xa0\d{3})+(?:[.,]\d+)?(?!\d)",
}
_TOKENS = {
    language: re.compile(
        rf"(?P<iso>(?<!\w)\d{{4}}-\d{{2}}-\d{{2}}(?!\w))|{_NUMBER.replace('THOUSANDS', thousands)}"
        r"(?P<power>e[-+]?\d{1,3}(?!\w))?(?P<percent>[ \xa0]?%)?|(?P<word>[^\W\d_]\w*)|(?P<mark>\S)"
    )
    for language, thousands in _THOUSANDS.items()
}
_ENDS = frozenset(".!?…")
_AFTER_END = _ENDS | frozenset("\"'»”)]*")
_SHORT = frozenset(
    [
        *("env", "approx", "moy", "max", "min", "ex", "vs", "cf", "no", "av", "ca", "resp", "janv", "fevr", "avr"),
        *("juil", "sept", "oct", "nov", "dec", "jan", "feb", "aug", "sep"),
    ]
)
_PERCENT = frozenset([("percent",), ("per", "cent"), ("pour", "cent"), ("pourcent",)])
_ORDINALS = frozenset(["er", "st", "nd", "rd", "th"])


def items_of_sentences(text: str, language: Language) -> Iterator[tuple[Item, ...]]:
    """The sentences of a text, each as its items; a sentence ends at a stop, a mark or a new line."""
    words = vocabulary(language)
    for tokens in _sentences(text, _tokens(fold(text), language)):
        items = tuple(_dated(_phrased(tokens, words)))
        if items:
            yield items


def _tokens(folded: str, language: Language) -> Iterator[Item]:
    for match in _TOKENS[language].finditer(folded):
        start, end = match.span()
        if match["iso"]:
            yield Item("date", start, end, match[0], day=match[0])
        elif match["digits"]:
            yield _number(match, language)
        elif match["word"]:
            yield Item("word", start, end, match[0])
        else:
            yield Item("mark", start, end, match[0])


def _number(match: re.Match[str], language: Language) -> Item:
    digits = match["digits"].replace("\N{NO-BREAK SPACE}", "")
    if language == "en" and re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+(\.\d+)?", digits):
        digits = digits.replace(",", "")
    digits = digits.replace(",", ".")
    if len(digits) > _MOST_DIGITS:
        value, step = float("inf"), 0.0
    else:
        power = int((match["power"] or "e0")[1:])
        decimals = len(digits.partition(".")[2])
        value, step = float(f"{digits}e{power}"), float(f"1e{power - decimals}")
    if (match["sign"] or "+")[0] != "+":
        value = -value
    percent = match["percent"] is not None
    item = Item("number", *match.span(), match[0], value=value, step=step)
    return _as_percent(item, item.end) if percent else item


def _as_percent(item: Item, end: int) -> Item:
    value = (item.value or 0.0) / 100
    return replace(item, value=value, step=item.step / 100, percent=True, end=end)


def _sentences(text: str, tokens: Iterator[Item]) -> Iterator[list[Item]]:
    sentence: list[Item] = []
    ended = False
    for token in tokens:
        if sentence:
            between = text[sentence[-1].end : token.start]
            if "\n" in between or (ended and (between or token.text not in _AFTER_END)):
                yield sentence
                sentence, ended = [], False
        if token.text in _ENDS and not (token.text == "." and _abbreviates(sentence)):
            ended = bool(sentence) and (
                token.end >= len(text) or text[token.end].isspace() or not text[token.end].isalnum()
            )
        sentence.append(token)
    if sentence:
        yield sentence


def _abbreviates(sentence: Sequence[Item]) -> bool:
    """Whether the stop that follows shortens a word."""
    last = sentence[-1] if sentence else None
    return last is not None and last.kind == "word" and (last.text in _SHORT or len(last.text) == 1)


def _phrased(tokens: Sequence[Item], words: Phrasebook) -> Iterator[Item]:
    """Words joined to the phrases that are known; hyphens and apostrophes are spaces; "35 pour cent" is a number."""
    tokens = [token for token in tokens if token.text not in "'-"]
    texts = [token.text if token.kind == "word" else "" for token in tokens]
    place = 0
    while place < len(tokens):
        token = tokens[place]
        length, meanings = words.longest_at(texts, place) if token.kind == "word" else (1, ())
        if token.kind == "number" and not token.percent:
            length = next((n for n in (2, 1) if tuple(texts[place + 1 : place + 1 + n]) in _PERCENT), 0) + 1
            token = _as_percent(token, tokens[place + length - 1].end) if length > 1 else token
        elif meanings:
            last = tokens[place + length - 1]
            token = replace(token, end=last.end, text=" ".join(texts[place : place + length]), meanings=meanings)
        yield token
        place += length


def _dated(items: Iterator[Item]) -> Iterator[Item]:
    """Numbers and months joined to dates: "21 juillet 2021", "July 21, 2021", "juin 2021"."""
    waiting = list(items)
    place = 0
    while place < len(waiting):
        length, day = _date_at(waiting, place)
        if length:
            last = waiting[place + length - 1]
            yield Item("date", waiting[place].start, last.end, "", day=day)
            place += length
        else:
            yield waiting[place]
            place += 1


def _date_at(items: Sequence[Item], place: int) -> tuple[int, str]:
    """How many items from `place` on make a date, and which; (0, "") for none."""
    first = items[place]
    if first.kind != "number" and not first.means("month"):
        return 0, ""
    after = items[place : place + 6]
    month = next((number for number, item in enumerate(after[:3]) if item.means("month")), None)
    if first.kind == "number" and _whole(first, 1, 31) and month in (1, 2):
        if month == 2 and after[1].text not in _ORDINALS:
            return 0, ""
        return _with_year(after, month, _whole(first, 1, 31), month + 1)
    if month == 0:
        if len(after) > 1 and _whole(after[1], 1, 31):
            used = 3 if len(after) > 2 and after[2].text in _ORDINALS else 2
            if len(after) > used and after[used].text == ",":
                dated = _with_year(after, 0, _whole(after[1], 1, 31), used + 1)
                return dated if len(dated[1]) > 7 else _with_year(after, 0, _whole(after[1], 1, 31), used)
            return _with_year(after, 0, _whole(after[1], 1, 31), used)
        year = _whole(after[1], 1900, 2100) if len(after) > 1 else 0
        return (2, f"{year}-{_month(first):02}") if year else (0, "")
    if first.kind == "number" and len(first.text) == 4 and _whole(first, 1900, 2100):
        return 1, first.text
    return 0, ""


def _with_year(items: Sequence[Item], month: int, day: int, used: int) -> tuple[int, str]:
    stopped = used + 1 < len(items) and items[used].text == "."  # "3 févr. 2021"
    year = _whole(items[used + stopped], 1900, 2100) if len(items) > used else 0
    used += stopped if year else 0
    number = _month(items[month])
    if not year:
        return used, f"--{number:02}-{day:02}"
    try:
        return used + 1, date(year, number, day).isoformat()
    except ValueError:
        return used + 1, f"{year}-{number:02}-{day:02}"


def _month(item: Item) -> int:
    meaning = item.means("month")
    return int(meaning.value or 0) if meaning else 0


def _whole(item: Item, least: int, most: int) -> int:
    """The whole number that an item is, if it lies within the limits; else 0."""
    if item.kind != "number" or item.percent or item.step != 1 or item.value is None:
        return 0
    return int(item.value) if least <= item.value <= most else 0
