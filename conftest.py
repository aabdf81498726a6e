"""What every test run has: a queue server, the number of random examples, a last word."""

pytest_plugins = ("tests.hypothesis_profiles", "tests.missing", "tests.valkey")
