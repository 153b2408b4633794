"""A stand-in for the DataPy framework, for tests alone."""
