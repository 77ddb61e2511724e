"""Experiments reduced to seconds, on which tests and benchmarks try what becomes of files, commands and runs."""

# A sweep of two kernels, one of which clips, in two shards.
SWEEP = """
question: How wrong are two kernels?
problems: [bce_logits]
kernels: [sigmoid_clip_1e-7, lse_log1p]
formats: [float16]
targets: [0, 1]
grid: quick
shards: {float16: 2}
"""
# A search of the worst input of one kernel.
HUNT = """
question: Where is one kernel worst?
problems: [softplus]
kernels: [naive]
formats: [float16]
search: {budget: 4096}
"""
