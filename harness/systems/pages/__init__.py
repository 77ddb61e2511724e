"""What people read of the systems: docs/systems.md, docs/findings.md, the table with few columns, and figures."""

# Named here, apart from the code that draws them (figures.py): to list them loads no drawing library.
FIGURES = ("systems_logits", "systems_probabilities", "systems_plateaus")
