"""Time the loss's forms from a logit against the naive one, which takes two logarithms of a sigmoid.

    python benchmarks/fused_speed.py

Prints the ratio of their times for each format: below 1 the form is faster.  The claims' table has
only the class of such a ratio, since a timing never repeats.
"""

from harness.studies.claims.instruments import FORMATS, ratio

FORMS = ("lse_log1p", "softplus_pair", "linear_softplus", "lse_log", "sigmoid_clip_1e-7")


def main() -> None:
    """Print a line for each form."""
    print(f"{'form':20s}" + "".join(f"{fmt:>10s}" for fmt in FORMATS))
    for form in FORMS:
        print(f"{form:20s}" + "".join(f"{ratio(form, 'sigmoid_naive', fmt):10.2f}" for fmt in FORMATS), flush=True)


if __name__ == "__main__":
    main()
