"""Scenario files shipped with simcore, found by name."""
