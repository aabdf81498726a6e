"""What we serve of others: known versions, licences beside them, nothing edited."""

import re
from pathlib import Path

from scripts.vendor_frontend import PACKAGES, VENDOR

STATIC = VENDOR.parent
TEMPLATES = STATIC.parent / "templates"


def served_files() -> set[str]:
    return {path.name for path in VENDOR.iterdir()}


def test_every_vendored_file_carries_its_version_in_its_name() -> None:
    for name in served_files():
        assert re.search(r"-\d+\.\d+\.\d+\.", name), name


def test_the_folder_holds_what_the_script_fetches_and_nothing_else() -> None:
    fetched = set()
    for package in PACKAGES:
        fetched |= {name.format(v=package.version) for name in package.files.values()}
        fetched.add(f"{package.name.removesuffix('.org')}-{package.version}.LICENSE.txt")
    assert served_files() == fetched


def test_every_package_has_its_licence_beside_it() -> None:
    for package in PACKAGES:
        short = package.name.removesuffix(".org")
        licence = VENDOR / f"{short}-{package.version}.LICENSE.txt"
        assert "permission" in licence.read_text().lower()


def test_templates_name_only_static_files_that_exist() -> None:
    for template in TEMPLATES.rglob("*.html"):
        for name in re.findall(r"asset\('([^']+)'\)", template.read_text()):
            assert (STATIC / name).is_file(), f"{template.name}: {name}"


def test_no_template_has_an_inline_script_or_style() -> None:
    """The content security policy forbids both; mails and sheets stand alone."""
    for template in TEMPLATES.rglob("*.html"):
        if {"mail", "sheets"} & set(template.relative_to(TEMPLATES).parts):
            continue
        text = template.read_text()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"", text), template
        for script in re.findall(r"<script[^>]*>", text):
            assert "src=" in script, template


def test_our_scripts_never_evaluate_text() -> None:
    for script in Path(STATIC / "js").glob("*.js"):
        assert not re.search(r"\beval\(|new Function\(|innerHTML", script.read_text()), script.name
