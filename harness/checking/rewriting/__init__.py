"""Rewrite a loss so that it errs less: its formula recorded, rewritten by identities, candidates measured, code written."""
