"""Conditions that users type, in SQL's words: ``ndvi_mean > 0.5 and date > '2022-05-01'``.

What is typed never reaches the database. It is parsed here by a small grammar, checked against the columns that there
are, and written anew, its values apart as parameters: statements, subqueries, files, settings and functions other than
those listed have no words in the grammar. ::

    condition   = conjunction {OR conjunction}
    conjunction = negation {AND negation}
    negation    = [NOT] (comparison | truth)
    comparison  = sum (= | == | != | <> | < | <= | > | >=) sum | sum [NOT] BETWEEN sum AND sum
                | sum [NOT] IN (literal, …) | sum [NOT] LIKE text | sum IS [NOT] NULL
    sum         = product {(+ | -) product};  product = sign {(* | /) sign};  sign = [-] value
    value       = number | text | DATE text | column | function (sum) | (condition)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from arpent.errors import InvalidSetting, UnknownName

__all__ = ["Condition", "Kind", "read_condition"]

Kind = Literal["number", "text", "date", "truth"]
Value = str | float | int | date | bool

_LONGEST = 2000
"""Characters of a condition."""
_DEEPEST = 40
"""Parentheses and negations within one another."""

_WORDS = {"and", "or", "not", "between", "in", "like", "ilike", "is", "null", "true", "false", "date"}
_FUNCTIONS: Mapping[str, tuple[Kind, Kind]] = {
    "abs": ("number", "number"),
    "day": ("date", "number"),
    "lower": ("text", "text"),
    "month": ("date", "number"),
    "year": ("date", "number"),
}
"""What may be called: the kind that goes in, and that comes out."""

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
    |(?P<text>'(?:[^']|'')*')
    |"(?P<quoted>(?:[^"]|"")*)"
    |(?P<name>[^\W\d]\w*)
    |(?P<sign><=|>=|<>|!=|==|=|<|>|\(|\)|,|\+|-|\*|/)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Condition:
    """A condition that is safe to run.

    Attributes:
        sql: a boolean expression with ``?`` for its values.
        values: for the parameters, in their order.
        columns: that it looks at, sorted.
    """

    sql: str
    values: tuple[Value, ...]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Token:
    kind: Literal["number", "text", "quoted", "name", "sign", "end"]
    text: str

    @property
    def word(self) -> str:
        """It as a word or sign of the grammar; empty for texts, numbers and quoted names."""
        return self.text.casefold() if self.kind in ("name", "sign") else ""


@dataclass(frozen=True)
class _Part:
    """A piece of the condition: its SQL, its values, and of what kind it is. A lone text may yet turn out a date."""

    sql: str
    values: tuple[Value, ...]
    kind: Kind
    literal: bool = False


def read_condition(text: str, columns: Mapping[str, Kind], aliases: Mapping[str, str] | None = None) -> Condition:
    """What a user has typed, as a condition on these columns.

    Args:
        text: as typed.
        columns: those that may be named, with what they hold.
        aliases: other names of columns.

    Raises:
        InvalidSetting: it is no condition; the error says at which word.
        UnknownName: it names a column or function that there is not.
    """
    if len(text) > _LONGEST:
        raise InvalidSetting(
            "the condition is too long",
            found=f"{len(text)} characters",
            expected=f"at most {_LONGEST}",
            cure="Shorten it.",
        )
    return _Reader(text, columns, aliases or {}).whole()


def _tokens(text: str) -> Iterator[_Token]:
    place, end = 0, len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place, end)
        if found is None:
            raise _fault(text, text[place:end].strip()[:12])
        kind = found.lastgroup
        assert kind is not None
        yield _Token(kind, found[kind])  # type: ignore[arg-type]  # the groups are named so
        place = found.end()
    yield _Token("end", "")


def _fault(text: str, at: str, expected: str | None = None) -> InvalidSetting:
    return InvalidSetting(
        f"the condition '{text.strip()[:120]}' is not understood at '{at}'"
        if at
        else f"the condition '{text}' ends early",
        expected=expected,
        cure="Write it like: ndvi_mean > 0.5 and date > '2022-05-01'.",
    )


class _Reader:
    """Reads one condition, from left to right."""

    def __init__(self, text: str, columns: Mapping[str, Kind], aliases: Mapping[str, str]) -> None:
        self._text = text
        self._columns = {name.casefold(): name for name in columns} | {
            alias.casefold(): name for alias, name in aliases.items() if name in columns
        }
        self._kinds = columns
        self._used: set[str] = set()
        self._tokens = list(_tokens(text))
        self._place = 0
        self._depth = 0

    def whole(self) -> Condition:
        """The condition, which must end where the text ends."""
        part = self._truth(self._either())
        if self._next.kind != "end":
            raise self._unexpected()
        return Condition(part.sql, part.values, tuple(sorted(self._used)))

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _unexpected(self, expected: str | None = None) -> InvalidSetting:
        return _fault(self._text, self._next.text, expected)

    def _takes(self, *words: str) -> bool:
        """Whether these words come next; they are passed then."""
        ahead = [token.word for token in self._tokens[self._place : self._place + len(words)]]
        if ahead != list(words):
            return False
        self._place += len(words)
        return True

    def _needs(self, word: str) -> None:
        if not self._takes(word):
            raise self._unexpected(f"'{word}'")

    def _truth(self, part: _Part) -> _Part:
        if part.kind != "truth":
            raise self._unexpected("a comparison, such as ndvi_mean > 0.5")
        return part

    def _either(self) -> _Part:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise InvalidSetting("the condition is nested too deeply", cure="Write it with fewer parentheses.")
        part = self._both()
        while self._takes("or"):
            part = _joined("OR", self._truth(part), self._truth(self._both()))
        self._depth -= 1
        return part

    def _both(self) -> _Part:
        part = self._maybe_not()
        while self._takes("and"):
            part = _joined("AND", self._truth(part), self._truth(self._maybe_not()))
        return part

    def _maybe_not(self) -> _Part:
        turned = 0
        while self._takes("not"):
            turned += 1
        part = self._comparison()
        if turned:
            self._truth(part)
        return _Part(f"(NOT {part.sql})", part.values, "truth") if turned % 2 else part

    def _comparison(self) -> _Part:
        left = self._sum()
        sign = self._next.word
        if sign in ("=", "==", "!=", "<>", "<", "<=", ">", ">="):
            self._place += 1
            one, other = self._alike(left, self._sum())
            return _Part(f"({one.sql} {_SQL.get(sign, sign)} {other.sql})", one.values + other.values, "truth")
        if self._takes("is", "not", "null"):
            return _Part(f"({left.sql} IS NOT NULL)", left.values, "truth")
        if self._takes("is", "null"):
            return _Part(f"({left.sql} IS NULL)", left.values, "truth")
        negated = self._next.word == "not" and self._tokens[self._place + 1].word in ("between", "in", "like", "ilike")
        self._place += negated
        found = self._membership(left)
        if found is None:
            return left
        return _Part(f"(NOT {found.sql})", found.values, "truth") if negated else found

    def _membership(self, left: _Part) -> _Part | None:
        """What follows between, in or like; None where none of them comes next."""
        if self._takes("between"):
            _, low = self._alike(left, self._sum())
            self._needs("and")
            _, high = self._alike(left, self._sum())
            return _Part(
                f"({left.sql} BETWEEN {low.sql} AND {high.sql})", left.values + low.values + high.values, "truth"
            )
        if self._takes("in"):
            self._needs("(")
            members = [self._alike(left, self._sum())[1]]
            while self._takes(","):
                members.append(self._alike(left, self._sum())[1])
            self._needs(")")
            values = left.values + tuple(value for member in members for value in member.values)
            return _Part(f"({left.sql} IN ({', '.join(member.sql for member in members)}))", values, "truth")
        if self._takes("like") or self._takes("ilike"):
            pattern = self._sum()
            if left.kind != "text" or pattern.kind != "text" or not pattern.literal:
                raise self._unexpected("a column of texts, like, and a text")
            return _Part(f"({left.sql} ILIKE {pattern.sql})", left.values + pattern.values, "truth")
        return None

    def _alike(self, one: _Part, other: _Part) -> tuple[_Part, _Part]:
        """Both sides of a comparison, which must hold the same; a text beside a date is read as one."""
        if one.kind == "date" and other.kind == "text" and other.literal:
            other = self._dated(other)
        elif other.kind == "date" and one.kind == "text" and one.literal:
            one = self._dated(one)
        if one.kind != other.kind:
            raise InvalidSetting(
                f"the condition '{self._text.strip()[:120]}' compares a {one.kind} with a {other.kind}",
                cure="Put texts and dates between single quotes, and numbers without.",
            )
        return one, other

    def _dated(self, part: _Part) -> _Part:
        (text,) = part.values
        try:
            return _Part("?", (date.fromisoformat(str(text)),), "date", literal=True)
        except ValueError:
            raise InvalidSetting(
                f"'{text}' is no date", expected="a day such as '2022-05-01'", cure="Write year, month and day."
            ) from None

    def _sum(self) -> _Part:
        part = self._product()
        while self._next.word in ("+", "-"):
            part = self._computed(part, self._product)
        return part

    def _product(self) -> _Part:
        part = self._signed()
        while self._next.word in ("*", "/"):
            part = self._computed(part, self._signed)
        return part

    def _computed(self, left: _Part, right_of: Callable[[], _Part]) -> _Part:
        sign = self._next.word
        self._place += 1
        right = right_of()
        if left.kind != "number" or right.kind != "number":
            raise self._unexpected("numbers on both sides of + - * /")
        return _Part(f"({left.sql} {sign} {right.sql})", left.values + right.values, "number")

    def _signed(self) -> _Part:
        turned = 0
        while self._next.word in ("-", "+"):
            turned += self._next.word == "-"
            self._place += 1
        part = self._value()
        if turned and part.kind != "number":
            raise self._unexpected("a number after -")
        return _Part(f"(-{part.sql})", part.values, "number") if turned % 2 else part

    def _value(self) -> _Part:
        token = self._next
        if self._takes("("):
            inner = self._either()
            self._needs(")")
            return _Part(f"({inner.sql})", inner.values, inner.kind, inner.literal)
        self._place += token.kind != "end"
        if token.kind == "number":
            return _Part("?", (float(token.text),), "number", literal=True)
        if token.kind == "text":
            return _Part("?", (token.text[1:-1].replace("''", "'"),), "text", literal=True)
        if token.kind == "quoted":
            return self._column(token.text.replace('""', '"'))
        if token.word in ("true", "false"):
            return _Part("?", (token.word == "true",), "truth", literal=True)
        if token.word == "date" and self._next.kind == "text":
            return self._dated(self._value())
        if token.kind == "name" and self._next.word == "(" and token.word not in _WORDS - {"date"}:
            return self._called(token.word)
        if token.kind == "name" and token.word not in _WORDS - {"date"}:
            return self._column(token.text)
        self._place -= token.kind != "end"
        raise self._unexpected("a column, a number, or a text between single quotes")

    def _column(self, name: str) -> _Part:
        known = self._columns.get(name.casefold())
        if known is None:
            raise UnknownName.among(name, set(self._columns.values()), "column")
        self._used.add(known)
        return _Part('"' + known.replace('"', '""') + '"', (), self._kinds[known])

    def _called(self, name: str) -> _Part:
        if name not in _FUNCTIONS:
            raise UnknownName.among(name, _FUNCTIONS, "function of conditions")
        takes, gives = _FUNCTIONS[name]
        self._needs("(")
        inner = self._sum()
        self._needs(")")
        if inner.kind != takes:
            raise self._unexpected(f"a {takes} in {name}( )")
        return _Part(f"{name}({inner.sql})", inner.values, gives)


_SQL = {"==": "=", "!=": "<>"}


def _joined(word: str, one: _Part, other: _Part) -> _Part:
    return _Part(f"({one.sql} {word} {other.sql})", one.values + other.values, "truth")
