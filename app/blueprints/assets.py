"""Static files under hashed names: they may be kept for ever, and a release changes the name."""

from functools import cache
from hashlib import sha256
from pathlib import Path
from re import compile as regex

from flask import Flask
from whitenoise import WhiteNoise

HASHED = regex(r"\.[0-9a-f]{12}\.\w+$")


class Assets:
    """Know the hashed URL of every static file."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self.urls: dict[str, str] = {}
        self.paths: dict[str, Path] = {}
        for path in sorted(folder.rglob("*")):
            if not path.is_file():
                continue
            name = path.relative_to(folder)
            mark = sha256(path.read_bytes()).hexdigest()[:12]
            url = f"{prefix}/{name.with_suffix(f'.{mark}{name.suffix}').as_posix()}"
            self.urls[name.as_posix()] = url
            self.paths[url] = path

    def url(self, name: str) -> str:
        """Return the hashed URL of a file below `app/static/`.

        Raises:
            KeyError: There is no such file; a template names it wrongly.
        """
        return self.urls[name]


# read once a process, however many applications its tests make
known_assets = cache(Assets)


def serve_assets(app: Flask) -> None:
    """Serve `app/static/` by WhiteNoise and give templates `asset(name)`."""
    folder = Path(app.root_path) / "static"
    assets = known_assets(folder, "/static")
    server = WhiteNoise(
        app.wsgi_app,
        immutable_file_test=lambda _path, url: bool(HASHED.search(url)),
        # nobody else's page needs them
        allow_all_origins=False,
    )
    for url, path in assets.paths.items():
        server.add_file_to_dictionary(url, str(path))
    app.wsgi_app = server  # type: ignore[method-assign]
    app.jinja_env.globals["asset"] = assets.url
