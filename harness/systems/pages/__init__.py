"""docs/systems.md, docs/findings.md, the table as people read it, and its figures."""

# Named here, apart from the code that draws them (figures.py): to list them loads no drawing library.
FIGURES = ("systems_logits", "systems_probabilities", "systems_plateaus")
