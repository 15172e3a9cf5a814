"""Every test: one thread, the same examples on every run, shapes and types of nclib checked."""

import torch
from hypothesis import settings
from jaxtyping import install_import_hook

settings.register_profile(
    "nclib", derandomize=True, deadline=None, max_examples=25, database=None, print_blob=False
)
settings.load_profile("nclib")
torch.set_num_threads(1)

# Only here: the annotations of these modules are checked at every call.
install_import_hook(["nclib.geometry", "nclib.metrics"], "beartype.beartype")
