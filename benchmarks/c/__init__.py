"""C sources of the C contender, compiled on the spot by `benchmarks.c_program`."""
