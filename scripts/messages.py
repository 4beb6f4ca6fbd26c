"""Gathers the words of the map's page and compiles their French: ``python scripts/messages.py``; ``--check`` looks.

The texts stand in English where they are used: ``{% translate "…" %}`` in the templates, ``word("…")`` and
``words("…", "…", n)`` in the modules. Translations are written by hand into two ``.po`` files (templates: ``django``,
modules: ``djangojs``); this script adds what is new, drops what is gone, and makes the ``.mo`` that Django reads.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PAGE = Path(__file__).resolve().parent.parent / "src" / "arpent" / "web" / "page"
FOLDER = PAGE / "locale" / "fr" / "LC_MESSAGES"
TRANSLATE = re.compile(r'{% translate "(?P<text>[^"]+)" %}')
WORD = re.compile(r'\bword\("(?P<text>[^"]+)"')
CHOSEN = re.compile(r'\bword\([^"\n]+ \? "(?P<yes>[^"]+)" : "(?P<no>[^"]+)"')
COUNTED = re.compile(r'\bwords\("(?P<one>[^"]+)", "(?P<many>[^"]+)"')

HEAD = [
    ("Content-Type", "text/plain; charset=UTF-8"),
    ("Plural-Forms", "nplurals=2; plural=(n > 1);"),
    ("Language", "fr"),
]

Message = str | tuple[str, str]


class Words(Catalog):
    """A catalogue whose head tells what readers need, and neither dates nor versions: equal words give equal bytes."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        """The head."""
        return HEAD


def main(arguments: list[str]) -> int:
    """Brings the catalogues up to date, or compares them; 1 when one is stale or lacks a translation."""
    check = arguments == ["--check"]
    wrong = []
    for domain, messages in {"django": of_templates(), "djangojs": of_modules()}.items():
        path = FOLDER / f"{domain}.po"
        catalogue = renewed(path, messages)
        wrong += [
            f"{domain}: no French for {message.id!r}" for message in catalogue if message.id and lacks(message.string)
        ]
        for target, content in {path: po(catalogue), path.with_suffix(".mo"): mo(catalogue)}.items():
            if target.exists() and target.read_bytes() == content:
                continue
            if check:
                wrong.append(f"{target.name} is stale: run scripts/messages.py")
            else:
                target.write_bytes(content)
    print("\n".join(wrong) or "every word has its French")
    return 1 if wrong else 0


def of_templates() -> set[Message]:
    """What the templates say."""
    pages = sorted((PAGE / "templates").rglob("*.html"))
    return {found["text"] for page in pages for found in TRANSLATE.finditer(page.read_text("utf-8"))}


def of_modules() -> set[Message]:
    """What the modules say, singular and plural together."""
    source = "\n".join(module.read_text("utf-8") for module in sorted((PAGE / "static" / "arpent").glob("*.js")))
    plain = {found["text"] for found in WORD.finditer(source)}
    chosen = {text for found in CHOSEN.finditer(source) for text in (found["yes"], found["no"])}
    return plain | chosen | {(found["one"], found["many"]) for found in COUNTED.finditer(source)}


def renewed(path: Path, messages: set[Message]) -> Words:
    """The catalogue of these messages with the translations that the file has."""
    known = Catalog()
    if path.exists():
        with path.open("rb") as file:
            known = read_po(file)
    catalogue = Words(locale="fr", fuzzy=False)
    for message in sorted(messages, key=str):
        before = known.get(message if isinstance(message, str) else message[0])
        catalogue.add(message, before.string if before else None)
    return catalogue


def lacks(translation: str | list[str] | tuple[str, ...] | None) -> bool:
    """Whether a message has no French, or only half of it."""
    return not translation or (not isinstance(translation, str) and not all(translation))


def po(catalogue: Catalog) -> bytes:
    """The file that people edit."""
    lines = [
        "# French of the map's page. English stands in the source; scripts/messages.py keeps this list.",
        'msgid ""',
        'msgstr ""',
    ]
    lines += [f'"{name}: {value}\\n"' for name, value in HEAD]
    buffer = io.BytesIO()
    write_po(buffer, catalogue, omit_header=True, width=0)
    return ("\n".join(lines) + "\n\n").encode() + buffer.getvalue().strip() + b"\n"


def mo(catalogue: Catalog) -> bytes:
    """The file that Django reads."""
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    return compiled.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
