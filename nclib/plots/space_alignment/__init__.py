"""Figures of the chapters on space alignment, a module each."""
