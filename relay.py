"""The relay's entry point: `python relay.py`."""

import sys

from app import create_app
from app.relay.server import main

if __name__ == "__main__":
    sys.exit(main(create_app(commands=False)))
