"""A worker of RQ's queues."""


def main() -> None:
    """Work until told to stop."""
