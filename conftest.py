"""What every test run has: a queue server and a last word."""

pytest_plugins = ("tests.missing", "tests.valkey")
