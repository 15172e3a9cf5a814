"""The type checker of the tests: an int is a float to it, as it is to Python's annotations."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
