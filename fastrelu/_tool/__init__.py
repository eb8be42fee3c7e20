"""The command line: the self-test, the comparison, the benchmark, and run."""
