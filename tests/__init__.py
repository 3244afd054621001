"""Tests. `twin` is the plain-Python engine that the compiled one must equal."""
