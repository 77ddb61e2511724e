"""Relatives of the cross-entropy, naive against stable: log1mexp, logit, entropy, divergence, focal loss."""
