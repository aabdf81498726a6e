"""The README's table is the configuration: every setting, with its default."""

import re
from pathlib import Path
from typing import Any

from app.config import Settings

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| `([A-Z0-9_]+)` \| (?:`(.*?)`)? *\| (.+) \|$", re.MULTILINE)


def shown(default: Any) -> str:
    """Write a default as one would write it into the environment."""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, Path):
        return str(default.relative_to(ROOT) if default.is_absolute() else default)
    return str(default)


def test_the_example_for_a_deployment_names_settings_that_exist() -> None:
    text = (ROOT / "deploy" / "hidamari.env.example").read_text("utf-8")
    names = set(re.findall(r"^([A-Z0-9_]+)=", text, re.MULTILINE))
    configuration = (ROOT / "deploy" / "gunicorn.conf.py").read_text("utf-8")
    gunicorn = set(re.findall(r"""environ\.get\(["'](\w+)""", configuration))
    assert names - gunicorn <= {name.upper() for name in Settings.model_fields}
    assert gunicorn <= names


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    rows = ROW.findall((ROOT / "README.md").read_text("utf-8"))
    table = [(name, default) for name, default, _words in rows]
    settings = [
        (name.upper(), shown(field.default)) for name, field in Settings.model_fields.items()
    ]
    assert table == settings
