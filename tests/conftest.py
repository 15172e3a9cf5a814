"""Every test: one thread, the same examples on every run, shapes and types of nclib checked."""

from collections.abc import Iterator

import jaxtyping
import pytest
import shapes
import torch
from hypothesis import settings

settings.register_profile(
    "nclib", derandomize=True, deadline=None, max_examples=25, database=None, print_blob=False
)
settings.load_profile("nclib")
torch.set_num_threads(1)

shapes.check(
    "nclib.data",
    "nclib.encodings",
    "nclib.evaluate",
    "nclib.geometry",
    "nclib.losses",
    "nclib.methods",
    "nclib.metrics",
    "nclib.models",
    "nclib.queue",
    "nclib.tasks",
    "nclib.theory",
    "nclib.train",
    "nclib.ufm",
)


@pytest.fixture(autouse=True)
def _shapes_are_checked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Unless the test is marked ``unchecked``."""
    unchecked = request.node.get_closest_marker("unchecked") is not None
    jaxtyping.config.update("jaxtyping_disable", unchecked)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
