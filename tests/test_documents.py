"""docs/asvs.md is the whole list of what it measures, and names only what there is."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHECKLIST = (ROOT / "docs" / "asvs.md").read_text("utf-8")
MEASURED, REST = CHECKLIST.split("\n## What does not apply\n")
WITHOUT, BEYOND = REST.split("\n## Of level 3\n")
ROW = re.compile(r"\| (V[\d.]+) \| ([^|]+) \| (met|partly|not met) \| ([^|]+) \| ([^|]+) \|")
ID = re.compile(r"\bV\d+\.\d+\.\d+\b")
SECTION = re.compile(r"\bSecurity, ([a-z ]+?)(?: \||;)")
# requirements of ASVS 5.0.0, levels 1 and 2, by chapter
OF_CHAPTER = dict(
    enumerate((27, 11, 19, 10, 9, 35, 18, 7, 7, 29, 14, 9, 13, 9, 13, 16, 7), start=1)
)


def rows(text: str = MEASURED) -> list[tuple[str, str, str]]:
    """Return ID, state and proof of each requirement that applies."""
    matches = [ROW.fullmatch(line) for line in text.splitlines() if line.startswith("| V")]
    assert all(matches), "a row has not its five columns"
    return [(match[1], match[3], match[5]) for match in matches if match]


def numbers(identifier: str) -> tuple[int, ...]:
    """Return an ID as it sorts."""
    return tuple(int(part) for part in identifier[1:].split("."))


def test_requirements_stand_once_and_in_their_order() -> None:
    for text in (MEASURED, BEYOND):
        listed = [numbers(identifier) for identifier, _state, _proof in rows(text)]
        assert listed == sorted(set(listed))
    assert not {row[0] for row in rows()} & {row[0] for row in rows(BEYOND)}


def test_no_requirement_of_both_levels_is_left_out() -> None:
    applying = [identifier for identifier, _state, _proof in rows()]
    others = ID.findall(WITHOUT)
    assert len(others) == len(set(others))
    assert not set(applying) & set(others)
    counted = dict.fromkeys(OF_CHAPTER, 0)
    for amount, chapter in re.findall(r"All (\d+) requirements of V(\d+)\.", WITHOUT):
        counted[int(chapter)] = int(amount)
    for identifier in (*applying, *others):
        counted[numbers(identifier)[0]] += 1
    assert counted == OF_CHAPTER


def test_every_file_that_is_named_exists() -> None:
    for identifier, state, proof in rows(CHECKLIST):
        named = re.findall(r"`([^`]+)`", proof)
        assert named or proof.strip() == "—", identifier
        missing = [path for path in named if not (ROOT / "tests" / path).is_file()]
        assert not missing, f"{identifier} ({state}) names {missing}"


def test_every_module_that_is_named_exists() -> None:
    for path in set(re.findall(r"`([\w/.-]+\.(?:py|html|conf|md))`", CHECKLIST)):
        places = (ROOT / path, ROOT / "app" / path, ROOT / "tests" / path)
        assert any(place.is_file() for place in places), path


def test_security_leads_to_the_checklist() -> None:
    security = (ROOT / "docs" / "security.md").read_text("utf-8")
    assert "(asvs.md)" in security
    headings = set(re.findall(r"^## (.+)$", security, re.MULTILINE))
    for section in SECTION.findall(CHECKLIST):
        assert section.capitalize() in headings, section


def test_what_is_not_met_is_a_recorded_deviation() -> None:
    security = (ROOT / "docs" / "security.md").read_text("utf-8")
    recorded = security.split("## Deviations")[1]
    for identifier, state, _proof in rows():
        assert state != "not met" or identifier[1:] in recorded, identifier
