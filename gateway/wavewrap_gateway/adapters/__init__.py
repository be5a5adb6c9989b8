"""Floor 3: one outside library per module."""
