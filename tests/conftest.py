"""Every test: one thread, the same examples on every run, shapes and types of nclib checked."""

import inspect
from collections.abc import Iterator

import jaxtyping
import pytest
import torch
from hypothesis import settings

settings.register_profile(
    "nclib", derandomize=True, deadline=None, max_examples=25, database=None, print_blob=False
)
settings.load_profile("nclib")
torch.set_num_threads(1)

# Only here: the annotations of these packages are checked at every call.
jaxtyping.install_import_hook(
    [
        "nclib.data",
        "nclib.encodings",
        "nclib.evaluate",
        "nclib.geometry",
        "nclib.losses",
        "nclib.metrics",
        "nclib.theory",
        "nclib.ufm",
    ],
    "shapes.checked",
)


@pytest.fixture(autouse=True)
def _unchecked_where_it_must_be(request: pytest.FixtureRequest) -> Iterator[None]:
    """Wrong shapes passed on purpose meet the library's own errors, and a graph holds no checks."""
    source = inspect.getsource(request.function)
    jaxtyping.config.update(
        "jaxtyping_disable", "pytest.raises" in source or "torch.compile" in source
    )
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
