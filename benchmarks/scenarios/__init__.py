"""Scenarios that only the benchmarks use."""
