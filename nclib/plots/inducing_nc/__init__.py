"""Figures of the chapters on inducing neural collapse, a module each."""
