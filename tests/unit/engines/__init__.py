"""Kernels against the plain-Python twin, and the promises of addressed random numbers."""
