"""Comparisons of finished runs: pairs of the same seed, their differences, and intervals over the pairs."""
