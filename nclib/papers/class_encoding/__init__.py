"""The role of class encoding in neural collapse: its claims, and the networks of its chapter."""
