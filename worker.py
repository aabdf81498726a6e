"""The jobs' entry point: `python worker.py mail poll default`."""

from app.jobs.worker import main

if __name__ == "__main__":
    main()
