"""Claims of "MLC-NC" (AAAI 2025): what theory decides, and the tables as printed."""

from nclib.papers.mlc_nc.claims._tables import TABLES
from nclib.papers.mlc_nc.claims._theory import THEORY

CLAIMS = (*THEORY, *TABLES)
