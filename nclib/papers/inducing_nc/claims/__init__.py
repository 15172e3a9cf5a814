"""Claims of "Inducing neural collapse in deep long-tailed learning" (arXiv 2302.12453)."""

from nclib.papers.inducing_nc.claims._networks import network_claims
from nclib.papers.inducing_nc.claims._propositions import PROPOSITIONS
from nclib.papers.inducing_nc.claims._text import TEXT

CLAIMS = (*PROPOSITIONS, *TEXT, *network_claims("laptop"), *network_claims("paper"))
