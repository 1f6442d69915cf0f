"""Checking and writing the rows of an import: which way, how many at a time, what is noted."""
