"""Figures of the foundations, a module a chapter."""
