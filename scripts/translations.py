"""Keep the English catalogue complete: Japanese is the source language, English the second.

`python scripts/translations.py update` gathers every string of code and templates into the
catalogue, takes over what `app/translations/fragments/*.po` translate, and drops what nobody uses.
`python scripts/translations.py check` fails while a string lacks its English words.
"""

import re
import sys
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
APP = ROOT / "app"
CATALOG = APP / "translations" / "en" / "LC_MESSAGES" / "messages.po"
FRAGMENTS = APP / "translations" / "fragments"
# the templates of mails have a text and an HTML form
METHODS = [("**.py", "python"), ("**.html", "jinja2"), ("**.txt", "jinja2")]
JINJA = {"extensions": "jinja2.ext.do", "silent": "false"}
KEYWORDS = {
    "_": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
}
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|%[sd]|\{(\w*)\}")

Key = tuple[str | tuple[str, ...], str | None]


def used() -> Catalog:
    """Return every string that code and templates hand to gettext."""
    catalog = Catalog(locale="en", project="Hidamari", charset="utf-8")
    found = extract_from_dir(
        str(APP),
        METHODS,
        options_map={"**.html": JINJA, "**.txt": JINJA},
        keywords=KEYWORDS,
        comment_tags=("Translators:",),
        strip_comment_tags=True,
        directory_filter=lambda folder: Path(folder).name not in {"content", "static", "vendor"},
    )
    for _path, _line, text, comments, context in found:
        catalog.add(text, auto_comments=comments, context=context)
    return catalog


def known() -> dict[Key, Message]:
    """Return the messages that have English words, of the catalogue and of the fragments."""
    messages: dict[Key, Message] = {}
    for path in [CATALOG, *sorted(FRAGMENTS.glob("*.po"))]:
        if path.exists():
            with path.open("rb") as file:
                for message in read_po(file, locale="en", abort_invalid=True):
                    if message.id and all(words(message)):
                        messages[key(message)] = message
    return messages


def key(message: Message) -> Key:
    """Return what tells one message from another."""
    one = message.id if isinstance(message.id, str) else tuple(message.id)
    return one, message.context


def words(message: Message) -> list[str]:
    """Return the English words of a message: one text, or one per plural form."""
    return [message.string] if isinstance(message.string, str) else list(message.string)


def placeholders(text: str) -> set[str]:
    """Return what a text lets fill in."""
    return {match.group(0) for match in PLACEHOLDER.finditer(text.replace("%%", ""))}


def faults(source: Catalog, english: dict[Key, Message]) -> list[str]:
    """Return one line per message that is missing, unsure or fills in something else."""
    found = []
    for message in source:
        if not message.id:
            continue
        one = english.get(key(message))
        text = message.id if isinstance(message.id, str) else message.id[0]
        if one is None:
            found.append(f"no English words: {text!r}")
        elif one.fuzzy:
            found.append(f"unsure (fuzzy): {text!r}")
        elif any(placeholders(text) != placeholders(form) for form in words(one)):
            found.append(f"other placeholders: {text!r} → {words(one)!r}")
    return found


def update() -> int:
    """Write the catalogue: what is used, with the English words that are known."""
    source, english = used(), known()
    for message in source:
        one = english.get(key(message))
        if message.id and one is not None:
            message.string = one.string
    CATALOG.parent.mkdir(parents=True, exist_ok=True)
    with CATALOG.open("wb") as file:
        # no line numbers and no date: two branches that move code must not collide here
        write_po(file, source, no_location=True, omit_header=True, sort_output=True, width=100)
    text = CATALOG.read_text(encoding="utf-8")
    CATALOG.write_text(HEADER + text.rstrip("\n") + "\n", encoding="utf-8")
    return report(faults(source, english))


HEADER = """msgid ""
msgstr ""
"Language: en\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

"""


def check() -> int:
    """Tell what keeps the English from being complete, and what nobody uses any more."""
    source, english = used(), known()
    wanted = {key(message) for message in source if message.id}
    unused = sorted(str(one[0]) for one in english if one not in wanted)
    return report(faults(source, english) + [f"nobody uses: {text!r}" for text in unused])


def report(lines: list[str]) -> int:
    """Print what is wrong; return the exit code."""
    for line in lines:
        print(line)
    print(f"translations: {len(lines)} to mend" if lines else "translations: complete")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit({"update": update, "check": check}[sys.argv[1]]())
