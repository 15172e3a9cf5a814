"""Figures of the chapters on MLC-NC, a module each."""
