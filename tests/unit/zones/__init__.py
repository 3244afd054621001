"""Kernels of the source and transit zones against the twin and closed forms."""
