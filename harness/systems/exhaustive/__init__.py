"""Every float32 input through the calls that introductions show: what a sampled maximum only bounds from below."""
