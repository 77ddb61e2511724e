"""docs/systems.md, docs/findings.md, the table as people read it, and its figures."""
