"""Claims of "How label imbalance shapes geometry" (arXiv 2605.01897), as its abstract has them."""

from nclib.papers.multilabel_spectral.claims._abstract import ABSTRACT
from nclib.papers.multilabel_spectral.claims._networks import text_claim

CLAIMS = (*ABSTRACT, text_claim("laptop"), text_claim("paper"))
