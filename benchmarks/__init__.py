"""Measures speed as ratios inside one run, for machines are noisy: `make bench`."""
