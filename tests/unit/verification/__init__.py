"""What the verification tools themselves promise."""
