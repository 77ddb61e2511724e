"""Every pair of an 8-bit logit and an 8-bit target: what each kernel makes of them."""
