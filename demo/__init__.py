"""The whole portal on one machine, with simulated homes: what `make run` starts."""
