"""The rules. No flask, no commit, no reading of the clock: edges hand in `now`."""
