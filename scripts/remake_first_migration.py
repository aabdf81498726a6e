"""Rewrite the first migration from the models. Legal only before the first release."""

import sys
import tempfile
from pathlib import Path

from flask_migrate import migrate

sys.path.insert(0, str(Path(__file__).parents[1]))

from app import create_app
from app.config import Settings

root = Path(__file__).parents[1]
target = root / "migrations" / "versions" / "0001_first_tables.py"
target.unlink(missing_ok=True)
with tempfile.TemporaryDirectory() as folder:
    url = f"sqlite:///{folder}/empty.db"
    app = create_app(Settings(_env_file=None, testing=True, database_url=url))
    with app.app_context():
        migrate(directory=str(root / "migrations"), message="first tables", rev_id="0001")
