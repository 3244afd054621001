"""Long checks that are run by hand before a release, not by the test suite (docs/verification.md)."""
