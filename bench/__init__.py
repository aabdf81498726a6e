"""How fast the portal is, as ratios against the bare library in the same run."""
