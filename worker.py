"""The jobs' entry point: `python worker.py mail poll default`."""

import sys

from app import create_app
from app.jobs.worker import main

if __name__ == "__main__":
    sys.exit(main(create_app(commands=False), sys.argv[1:]))
