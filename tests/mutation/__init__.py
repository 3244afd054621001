"""Mutation check of the kernels: small changes of the sources that the tests must notice (docs/verification.md)."""
