"""Claims of "How label imbalance shapes geometry" (arXiv 2605.01897), as its abstract has them."""

from nclib.papers.multilabel_spectral.claims._abstract import ABSTRACT

CLAIMS = ABSTRACT
