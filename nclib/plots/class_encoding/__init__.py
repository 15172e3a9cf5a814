"""Figures of the chapters on class encoding, a module each."""
