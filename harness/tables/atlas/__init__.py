"""The atlas: where each kernel is safe in each format, what fails beyond, and what to use instead."""

from harness.tables.atlas.entries import COLUMNS, atlas_job

__all__ = ["COLUMNS", "atlas_job"]
