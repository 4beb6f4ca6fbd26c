"""What mkdocs does to pages in French: their language is declared, and punctuation stays on the line of its word."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["on_page_content", "on_post_page"]

NARROW = "\u202f"
_CODE_OR_TAG = re.compile(r"(<pre.*?</pre>|<code.*?</code>|<[^>]+>)", re.DOTALL)
_WORDS = {"Table of contents": "Sommaire", "Back to top": "Haut de page", "Skip to content": "Aller au contenu"}


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """The text of a page, with spaces that do not break before ; : ! ? » and after «."""
    if not _french(page):
        return html
    # Every other part is code or a tag, and stays as it is; a space that a tag separates from its sign is seen too.
    parts = _CODE_OR_TAG.split(html)
    return "".join(part if place % 2 else _held(part) for place, part in enumerate(parts))


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """The whole page, with its language and the words of the theme in French."""
    if not _french(page):
        return output
    output = output.replace('<html lang="en"', '<html lang="fr"', 1)
    for english, french in _WORDS.items():
        output = re.sub(rf"(?<=>)(\s*){english}(\s*)(?=<)", rf"\g<1>{french}\g<2>", output)
        output = output.replace(f'aria-label="{english}"', f'aria-label="{french}"')
    return output


def _french(page: Any) -> bool:
    path: str = page.file.src_path
    return path.endswith(".fr.md")


def _held(text: str) -> str:
    text = re.sub(r"[ \n](?=[;!?])", NARROW, text)
    text = re.sub(r"[ \n](?=[:»])", "\u00a0", text)
    return re.sub(r"(?<=«)[ \n]", "\u00a0", text)
