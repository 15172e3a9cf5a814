"""Figures of the chapters on several labels an image, a module each."""
