"""Fetch the front end's third-party files from the npm registry into app/static/vendor/.

Run `python scripts/vendor_frontend.py` after changing a version below and commit what it writes.
The portal itself never runs this: the files are in the repository, there is no build step.
"""

import base64
import hashlib
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "app" / "static" / "vendor"


class WrongIntegrity(Exception):
    """The archive is not the one this table was written for."""


@dataclass(frozen=True)
class Package:
    """One npm package: which files of it we serve, and the archive's SHA-512 (as npm prints it)."""

    name: str
    version: str
    integrity: str
    licence: str
    files: dict[str, str]
    """Path inside the package → name here; {v} becomes the version."""


PACKAGES = (
    Package(
        name="htmx.org",
        version="4.0.1",
        integrity=(
            "sha512-oF7JgXhDW9UXCy/k1ZYFUQgzu/rm19ORWPSPNL91vPluB2PB"
            "9+MV55tyQdH/w7o2EAbTYUG5SDW1R60mdkdqGg=="
        ),
        licence="LICENSE",
        files={
            "dist/htmx.min.js": "htmx-{v}.min.js",
            # 304 for a partial that did not change
            "dist/ext/hx-ptag.min.js": "htmx-ptag-{v}.min.js",
        },
    ),
    Package(
        name="bootstrap",
        version="5.3.9",
        integrity=(
            "sha512-20cU0rcfw8WdxtVbmfU+xT2EjvVTw9Ror/h1Qvd7DXCujRg8"
            "OO9mdBCsmTHdJFf3BuadmBNJtgIuUXsBqSkk/w=="
        ),
        licence="LICENSE",
        files={
            # Reboot and utilities only: components are our own, so no stock look and 140 KB less.
            "dist/css/bootstrap-reboot.min.css": "bootstrap-reboot-{v}.min.css",
            "dist/css/bootstrap-utilities.min.css": "bootstrap-utilities-{v}.min.css",
        },
    ),
    Package(
        name="chart.js",
        version="4.6.1",
        integrity=(
            "sha512-hJyniucsFmq//EvXYvJ6c6mahPoI3kaxdjVH8awTaJ/fDNWe"
            "SqqqArixMJWkWNN6fcYvPU3HneSANFNYtRi61g=="
        ),
        licence="LICENSE.md",
        files={"dist/chart.umd.min.js": "chart-{v}.umd.min.js"},
    ),
)


def download(package: Package, folder: Path) -> Path:
    """Return the package's archive, fetched with `npm pack` into `folder`.

    Raises:
        WrongIntegrity: The archive's SHA-512 is not the one in the table.
        subprocess.CalledProcessError: npm could not fetch it.
    """
    finished = subprocess.run(  # noqa: S603 - only names of the table above
        ["npm", "pack", f"{package.name}@{package.version}", "--silent"],  # noqa: S607 - npm of the path
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    archive = folder / finished.stdout.strip().splitlines()[-1]
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != package.integrity:
        raise WrongIntegrity(f"{package.name}@{package.version}: got sha512-{digest}")
    return archive


def unpack(package: Package, archive: Path) -> None:
    """Write the package's files and its licence, without their source-map comments."""
    licence = f"{package.name.removesuffix('.org')}-{package.version}.LICENSE.txt"
    wanted = {**package.files, package.licence: licence}
    with tarfile.open(archive) as tar:
        for inside, outside in wanted.items():
            member = tar.extractfile(f"package/{inside}")
            if member is None:
                raise FileNotFoundError(f"{package.name}: {inside}")
            lines = member.read().decode().splitlines()
            # The maps are not served; a hashed-name static server would stumble over the reference.
            kept = [line for line in lines if "sourceMappingURL=" not in line]
            target = VENDOR / outside.format(v=package.version)
            target.write_text("\n".join(kept) + "\n", encoding="utf-8")
            print(target.name)


def main() -> None:
    """Fetch everything in the table; older versions are removed."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        archives = [(package, download(package, Path(folder))) for package in PACKAGES]
        for old in VENDOR.iterdir():
            old.unlink()
        for package, archive in archives:
            unpack(package, archive)


if __name__ == "__main__":
    main()
