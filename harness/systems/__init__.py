"""Adapters to the losses of real libraries; importing this package imports none of them.

A system is a loss as users call it.  The register (registry.py) finds systems in adapters/; measure/ says what
each is asked and measures what it returned; run/ calls it in a process of its own, which may crash or hang;
pages/ makes what people read of the results.  job.py ties them together for the workflow.
"""
