"""``python -m nclib.cli``, as ``torchrun`` starts it."""

from nclib.cli import app

app()
