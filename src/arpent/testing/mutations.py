"""Files as they come from broken disks and bad people: seeded mutations by format.

Every mutation is a function of the file's bytes and a generator of random numbers, so that a seed and a number bring
each of them back.
"""

from __future__ import annotations

import json
import random
import re
import struct
from collections.abc import Callable, Mapping

__all__ = ["MUTATIONS", "Mutation", "mutate"]

Mutation = Callable[[bytes, random.Random], bytes]
"""The bytes of a file and chance → other bytes."""

_NUMBERS = (
    "0",
    "-1",
    "1",
    "255",
    "65536",
    "2147483648",
    "-2147483649",
    "18446744073709551616",
    "1e308",
    "1e999",
    "-0.0",
)
_ODDITIES = (
    *_NUMBERS,
    ".nan",
    ".inf",
    "-.inf",
    "null",
    "true",
    "''",
    "[]",
    "{}",
    "[[[[]]]]",
    "~",
    "é\u202e\u0000",
    "a" * 5000,
)
_PATHS = (
    "../escape",
    "../../../../escape.tif",
    "/dev/zero",
    "/dev/full",
    "/proc/self/mem",
    ".",
    "..",
    "/",
    "",
    "a/../../b.tif",
    "~/escape",
    "$HOME/escape",
    "file:///etc/passwd",
    "/vsimem/x.tif",
    "/vsizip/../x.zip",
    "CON",
    "x" * 300,
    "nul\u0000l",
    "-o",
    "--help",
    "é\u202e\n.tif",
)


def mutate(content: bytes, form: str, seed: object) -> tuple[str, bytes]:
    """One mutation of a file, drawn by `seed`: its name and what the file is then.

    Args:
        content: of a file that is well.
        form: see `MUTATIONS`.
        seed: the same gives the same.
    """
    chance = random.Random(repr(seed))  # noqa: S311 - not for secrets
    kinds = MUTATIONS[form]
    mutation = kinds[chance.randrange(len(kinds))]
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        content = mutation(content, chance)
    return mutation.__name__.strip("_"), content


def _flipped_bytes(content: bytes, chance: random.Random) -> bytes:
    """A few bytes anywhere become others."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 2, 8, 64)) if changed else 0):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _flipped_head(content: bytes, chance: random.Random) -> bytes:
    """A few bytes of the beginning, where formats say what follows."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 2, 4)) if changed else 0):
        changed[chance.randrange(min(len(changed), 600))] = chance.choice(
            (0, 1, 2, 127, 128, 255, chance.randrange(256))
        )
    return bytes(changed)


def _cut(content: bytes, chance: random.Random) -> bytes:
    """The end is missing."""
    return content[: chance.choice((0, 1, 4, 8, chance.randrange(len(content) + 1)))]


def _lengthened(content: bytes, chance: random.Random) -> bytes:
    """Something follows that does not belong to it."""
    return content + chance.choice((b"\x00", b"\xff" * 1000, content, b"<?xml", b"PK\x03\x04"))


def _holed(content: bytes, chance: random.Random) -> bytes:
    """A stretch is zero, as a lost block of a disk."""
    start = chance.randrange(len(content) + 1)
    length = chance.choice((1, 16, 512, len(content) // 3))
    return content[:start] + bytes(min(length, len(content) - start)) + content[start + length :]


def _moved(content: bytes, chance: random.Random) -> bytes:
    """A stretch is taken out, or stands twice."""
    start = chance.randrange(len(content) + 1)
    length = chance.randrange(1, 200)
    piece = content[start : start + length]
    return content[:start] + (piece * 2 if chance.random() < 0.5 else b"") + content[start + length :]


def _large_numbers(content: bytes, chance: random.Random) -> bytes:
    """Two, four or eight bytes become the largest number, a negative one, or zero: lengths, offsets, dimensions."""
    width = chance.choice((2, 4, 8))
    if len(content) < width:
        return content
    values = (0, 1, 2 ** (8 * width) - 1, 2 ** (8 * width - 1), 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 4))
    at = chance.randrange(min(len(content) - width, 4000) + 1)
    number = chance.choice(values).to_bytes(width, "little")
    return content[:at] + (number if chance.random() < 0.5 else number[::-1]) + content[at + width :]


def _nothing(content: bytes, chance: random.Random) -> bytes:
    """Another file altogether: empty, noise, a line, a picture's first bytes."""
    del content
    noise = bytes(chance.randrange(256) for _ in range(chance.choice((1, 64, 3000))))
    return chance.choice(
        (b"", noise, b"hello\n", b"\xff\xd8\xff\xe0", b"II*\x00", b"\x89PNG\r\n\x1a\n", b"\xef\xbb\xbf", b"\x1f\x8b")
    )


_DIMENSIONS = (256, 257, 258, 259, 277, 278, 322, 323, 324, 325, 339, 273, 279, 33550, 33922, 34735, 42113)
"""Tags of TIFF: size, bits, compression, bands, strips, tiles and where they lie, pixel type, place, no-data."""


def _tiff_tags(content: bytes, chance: random.Random) -> bytes:
    """An entry of a TIFF's directory says something else: a size without end, another type, an offset into nothing."""
    if len(content) < 16 or content[:2] not in (b"II", b"MM"):
        return _large_numbers(content, chance)
    order = "<" if content[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", content, 2)[0] == 43
    at = struct.unpack_from(order + ("Q" if big else "I"), content, 8 if big else 4)[0]
    head, size = (8, 20) if big else (2, 12)
    if at + head > len(content):
        return _large_numbers(content, chance)
    count = struct.unpack_from(order + ("Q" if big else "H"), content, at)[0]
    entries = range(at + head, min(at + head + count * size, len(content) - size), size)
    chosen = [e for e in entries if struct.unpack_from(order + "H", content, e)[0] in _DIMENSIONS] or list(entries)
    if not chosen:
        return _large_numbers(content, chance)
    entry = chance.choice(chosen)
    part = chance.choice((0, 2, 4, size - (8 if big else 4)))
    width = 2 if part in (0, 2) else 4
    value = chance.choice((0, 1, 3, 7, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1, 100_000, 2_000_000)) % 2 ** (8 * width)
    changed = bytearray(content)
    struct.pack_into(order + ("H" if width == 2 else "I"), changed, entry + part, value)
    return bytes(changed)


def _text_values(content: bytes, chance: random.Random) -> bytes:
    """A number or a word of a text becomes an oddity or a path with tricks."""
    text = content.decode("utf-8", "replace")
    words = list(re.finditer(r"[^\s,:;{}\[\]\"']+", text))
    if not words:
        return content
    word = chance.choice(words)
    with_what = chance.choice(chance.choice((_ODDITIES, _PATHS)))
    return (text[: word.start()] + with_what + text[word.end() :]).encode("utf-8", "surrogatepass")


def _text_lines(content: bytes, chance: random.Random) -> bytes:
    """Lines are missing, stand twice, or change places; separators change."""
    lines = content.split(b"\n")
    at = chance.randrange(len(lines))
    kind = chance.randrange(5)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, lines[at])
    elif kind == 2:
        chance.shuffle(lines)
    elif kind == 3:
        lines[at] = lines[at].replace(b",", chance.choice((b";", b"\t", b",,", b""))).replace(b": ", b":\t")
    else:
        lines[at] = (
            chance.choice((b"\x00", b"\xff\xfe", b'"', b"'", b"\t", b"{", b"- ", b"&a [*a]", b"%", b"!!", b"? "))
            + lines[at]
        )
    return b"\n".join(lines)


def _text_encodings(content: bytes, chance: random.Random) -> bytes:
    """Another encoding, a mark of one, or carriage returns."""
    text = content.decode("utf-8", "replace")
    return chance.choice(
        (
            text.encode("utf-16"),
            text.encode("utf-8-sig"),
            text.replace("\n", "\r\n").encode(),
            text.encode("utf-32"),
            content + b"\xe9",
        )
    )


_BOMBS = (
    "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
    "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
    "g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\ni: [*h,*h,*h,*h,*h,*h,*h,*h,*h]\n",
    "[" * 20_000,
    "{a: " * 5_000,
    "- " * 3_000 + "x",
    "a: &a\n  b: *a\n",
    "? [1, 2]\n: x\n",
    "? {a: b}\n: x\n",
    "!!python/object/apply:os.mkdir ['escape']\n",
    "!!python/name:os.system\n",
    "!!binary |\n  ////\n",
    "!!timestamp 99999-99-99\n",
    "<<: 3\n",
    "a: 1\na: 2\n",
    "1: 2\ntrue: 3\nnull: 4\n",
    "a: 1_000:61:61\nb: 0o99\nc: 0x\n",
    "---\na: 1\n---\nb: 2\n",
    "a: 2024-13-45\n",
    "x: " + "9" * 6_000 + "\n",
)


def _yaml_bombs(content: bytes, chance: random.Random) -> bytes:
    """Aliases without end, deep nesting, tags of Python, keys that are lists; alone or before what was there."""
    bomb = chance.choice(_BOMBS).encode()
    return bomb if chance.random() < 0.5 else bomb + content


def _json_values(content: bytes, chance: random.Random) -> bytes:
    """A value somewhere in a JSON document becomes another, or is missing."""
    try:
        document = json.loads(content)
    except ValueError:
        return _text_values(content, chance)
    here, key = document, None
    parent: object = None
    while isinstance(here, dict | list) and here and (parent is None or chance.random() < 0.85):
        parent = here
        key = chance.choice(list(here) if isinstance(here, dict) else range(len(here)))
        here = here[key]
    other: object = chance.choice(
        (
            None,
            True,
            0,
            -1,
            1e308,
            10**40,
            "",
            "x",
            [],
            {},
            [[]],
            [None],
            {"type": "Point"},
            "../../escape",
            "a" * 5000,
            [1e309, "y"],
            -0.5,
        )
    )
    if isinstance(parent, dict | list):
        if chance.random() < 0.25:
            del parent[key]  # type: ignore[arg-type]
        else:
            parent[key] = other  # type: ignore[index]
        return json.dumps(document).encode()
    return json.dumps(other).encode()


def _json_bombs(content: bytes, chance: random.Random) -> bytes:
    """Deep nesting, numbers without end, constants that JSON does not have."""
    bombs = (
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"NaN",
        b"-Infinity",
        b"1" + b"0" * 6000,
        b'"\\ud800"',
        b"[1e999]",
        b'{"type":"FeatureCollection"}',
    )
    if chance.random() < 0.6:
        return chance.choice(bombs)
    numbers = list(re.finditer(rb"-?\d+\.?\d*", content))
    if not numbers:
        return chance.choice(bombs)
    one = chance.choice(numbers)
    return content[: one.start()] + chance.choice((b"NaN", b"Infinity", b"1e999", b"9" * 5000)) + content[one.end() :]


def _safetensors_header(content: bytes, chance: random.Random) -> bytes:
    """The JSON at the beginning of safetensors says something else; its length stays right, or does not."""
    if len(content) < 8:
        return _nothing(content, chance)
    length = int.from_bytes(content[:8], "little")
    head, rest = content[8 : 8 + length], content[8 + length :]
    kind = chance.randrange(4)
    if kind == 0:
        head = _json_values(head, chance)
    elif kind == 1:
        head = _inner_json(head, chance)
    elif kind == 2:
        head = _text_values(head, chance)
    else:
        wrong = chance.choice((0, 1, length - 1, length + 1, 2**63, 2**64 - 1, 100_000_001))
        return wrong.to_bytes(8, "little") + head + rest
    return len(head).to_bytes(8, "little") + head + rest


def _inner_json(head: bytes, chance: random.Random) -> bytes:
    """Documents inside a document: the contract in the metadata of a bundle."""
    try:
        document = json.loads(head)
        told = document["__metadata__"]
        key = chance.choice(sorted(told))
    except (ValueError, KeyError, TypeError, IndexError):
        return _json_values(head, chance)
    told[key] = _json_values(told[key].encode(), chance).decode("utf-8", "replace")
    return json.dumps(document).encode()


def _picture_size(content: bytes, chance: random.Random) -> bytes:
    """Width and height of a JPEG or PNG become others."""
    changed = bytearray(content)
    side = chance.choice((0, 1, 2, 30_000, 65_535))
    if content[:4] == b"\x89PNG" and len(content) > 24:
        struct.pack_into(">I", changed, chance.choice((16, 20)), chance.choice((0, 1, 65_535, 2**31 - 1, 200_000)))
        return bytes(changed)
    for marker in (b"\xff\xc0", b"\xff\xc2"):
        at = content.find(marker)
        if 0 <= at < len(content) - 9:
            struct.pack_into(">H", changed, at + chance.choice((5, 7)), side)
            return bytes(changed)
    return _large_numbers(content, chance)


_ANY: tuple[Mutation, ...] = (
    _flipped_bytes,
    _flipped_head,
    _cut,
    _lengthened,
    _holed,
    _moved,
    _large_numbers,
    _nothing,
)
_TEXT: tuple[Mutation, ...] = (
    _text_values,
    _text_values,
    _text_values,
    _text_lines,
    _text_encodings,
    _flipped_bytes,
    _cut,
    _nothing,
)

MUTATIONS: Mapping[str, tuple[Mutation, ...]] = {
    "tif": (*_ANY, _tiff_tags, _tiff_tags, _tiff_tags, _tiff_tags),
    "jpg": (*_ANY, _picture_size),
    "png": (*_ANY, _picture_size),
    "parquet": _ANY,
    "pth": _ANY,
    "sqlite": _ANY,
    "safetensors": (*_ANY, *[_safetensors_header] * 6),
    "yaml": (*_TEXT, _yaml_bombs, _yaml_bombs),
    "csv": _TEXT,
    "json": (*_TEXT, *[_json_values] * 4, _json_bombs),
    "geojson": (*_TEXT, *[_json_values] * 5, _json_bombs),
}
"""By format, how its files are changed."""
