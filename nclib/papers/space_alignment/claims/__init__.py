"""Claims of "Space alignment matters" (arXiv 2512.07844): abstract, theorems by name."""

from nclib.papers.space_alignment.claims._abstract import ABSTRACT
from nclib.papers.space_alignment.claims._theorems import THEOREMS

CLAIMS = (*THEOREMS, *ABSTRACT)
