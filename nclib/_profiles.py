"""The three scales at which everything runs."""

from typing import Literal, get_args

Profile = Literal["smoke", "laptop", "paper"]
PROFILES: tuple[Profile, ...] = get_args(Profile)  # from the quickest to the longest
