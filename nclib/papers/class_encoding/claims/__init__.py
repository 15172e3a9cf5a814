"""Claims of "The role of class encoding in neural collapse" (arXiv 2606.00344)."""

from nclib.papers.class_encoding.claims._networks import text_claim
from nclib.papers.class_encoding.claims._statements import STATEMENTS

CLAIMS = (*STATEMENTS, text_claim("laptop"), text_claim("paper"))
