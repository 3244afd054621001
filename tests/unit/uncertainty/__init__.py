"""Parameter draws against exact distributions."""
