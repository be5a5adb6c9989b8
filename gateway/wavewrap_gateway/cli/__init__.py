"""Floor 5: the commands a person types."""
