"""Measured speed: each table compares in the same run, alternating, on this machine."""
