"""Exact functions of one's own, in mpmath, and losses to check against them: the examples of docs/own_problem.md."""

import numpy as np
from mpmath import mp

import harness

# -- softplus with a temperature: log(1 + e^(t x)) / t -----------------------------------------------


@harness.problem(name="softplus_t", parameters={"t": "0.5"}, input="logit")
def softplus_t(x, t):
    """Return the line max(x, 0), which the function approaches, and the rest."""
    return (x if x > 0 else 0), mp.log1p(mp.exp(-abs(x) * t)) / t


def naive_softplus(x):
    t = x.dtype.type(0.5)
    return np.log(1 + np.exp(t * x)) / t


def good_softplus(x):
    t = x.dtype.type(0.5)
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x) * t)) / t


# -- Gaussian negative log-likelihood from a log-variance, less its constant: (s + r^2 e^-s) / 2 -------
# The input is s; the target is the residual r, any number.


def gaussian(s, r):
    return (s + r * r * mp.exp(-s)) / 2


gaussian_nll = harness.problem(
    gaussian,
    name="gaussian_nll",
    domain=(-80.0, 80.0),
    gradient=lambda s, r: (1 - r * r * mp.exp(-s)) / 2,
    targets=(0, 1, "0.1", 3),
    target_domain=(-1e3, 1e3),
)


def naive_gaussian(s, r):
    variance = np.exp(s)
    return (np.log(variance) + r * r / variance) / 2


def good_gaussian(s, r):
    return (s + r * r * np.exp(-s)) / 2


# -- Poisson negative log-likelihood from a log rate, less log y!: e^x - y x ----------------------------
# The target is a count.

poisson_nll = harness.problem(
    lambda x, y: mp.exp(x) - y * x,
    name="poisson_nll",
    domain=(-80.0, 80.0),
    gradient=lambda x, y: mp.exp(x) - y,
    targets=(0, 1, 5),
    target_domain=(0.0, 1e6),
)


def eps_poisson(x, y):
    """Take the rate's log again, with an eps, as many do that are given a rate."""
    rate = np.exp(x)
    return rate - y * np.log(rate + x.dtype.type(1e-8))


def good_poisson(x, y):
    return np.exp(x) - y * x


# -- PolyLoss (Poly-1), Leng et al. 2022, https://arxiv.org/abs/2204.12511: cross-entropy + eps (1 - p) ---
# p is the probability of the true class: sigmoid(x) for y = 1, 1 - sigmoid(x) for y = 0.
# Written as the paper has it: 1 - p may cancel, which costs bits and no truth.


@harness.problem(
    name="poly1", parameters={"eps": "1"}, input="logit", domain=(-80.0, 80.0), targets=(0, 1), nonnegative=True
)
def poly1(x, y, eps):
    sigmoid = 1 / (1 + mp.exp(-x))
    p = y * sigmoid + (1 - y) * (1 - sigmoid)
    return -mp.log(p) + eps * (1 - p)


def naive_poly1(x, y):
    one, eps = x.dtype.type(1), x.dtype.type(1)
    p = one / (one + np.exp(-x))
    p_true = np.where(y == 1, p, one - p)
    return -np.log(p_true) + eps * (one - p_true)


def good_poly1(x, y):
    one, eps = x.dtype.type(1), x.dtype.type(1)
    z = np.where(y == 1, -x, x)
    small = np.exp(-np.abs(z))
    wrong = np.where(z > 0, one, small) / (one + small)  # 1 - p without a subtraction
    return np.maximum(z, 0) + np.log1p(small) + eps * wrong
