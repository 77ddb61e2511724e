"""Kernels of the binary entropy, -p log p - (1-p) log(1-p), and of D(y || p), the divergence of Bernoulli(p) from a target."""

from __future__ import annotations

import math

from harness.kernels.bce import clip
from harness.kernels.families import CLIPPED, EPS_ADDED, NO_CLAMP
from harness.kernels.logit import EPS, SCIPY, TORCH, logit_difference
from harness.kernels.registry import Array, kernel, like, machine_epsilon
from harness.numbers.formats import Format, format_of

# -- binary_entropy(p) = -(p log p + (1-p) log(1-p)) --------------------------------------------------


@kernel(
    "binary_entropy",
    "naive",
    family=NO_CLAMP,
    formula=r"-(p \log p + (1-p) \log(1-p))",
    source="textbook form",
    notes="0 * log 0 = NaN at both ends; 1 - p absorbs small p, beside a larger term",
)
def entropy_naive(p: Array) -> Array:
    xp, one = p.__array_namespace__(), like(1, p)
    q = one - p
    return -(p * xp.log(p) + q * xp.log(q))


@kernel(
    "binary_entropy",
    "add_eps",
    family=EPS_ADDED,
    formula=r"-(p \log(p + \epsilon) + (1-p) \log((1-p) + \epsilon))",
    source="widespread in tutorials",
    notes="biased everywhere; negative at p = 1, where log(1 + eps) > 0",
    variants=EPS,
)
def entropy_add_eps(p: Array, eps: Array) -> Array:
    xp, one = p.__array_namespace__(), like(1, p)
    q = one - p
    return -(p * xp.log(p + eps) + q * xp.log(q + eps))


@kernel(
    "binary_entropy",
    "clip",
    family=CLIPPED,
    formula=r"q = \min(\max(p, \epsilon), 1-\epsilon);\ -(q \log q + (1-q) \log(1-q))",
    source="widespread in tutorials",
    notes="a plateau at each end",
    variants=EPS,
)
def entropy_clip(p: Array, eps: Array) -> Array:
    return entropy_naive(clip(p, eps))


@kernel(
    "binary_entropy",
    "entr",
    formula=r"h(p) + h(1-p),\ h(t) = -t \log t,\ h(0) = 0",
    source=f"{SCIPY}.entr",
    notes="0 at both ends; 1 - p absorbs small p, beside a larger term",
)
def entropy_entr(p: Array) -> Array:
    return _entr(p) + _entr(like(1, p) - p)


def _entr(t: Array) -> Array:
    xp, zero, one = t.__array_namespace__(), like(0, t), like(1, t)
    return -(t * xp.log(xp.where(t == zero, one, t)))


@kernel(
    "binary_entropy",
    "xlog1py",
    formula=r"-(\mathrm{xlogy}(p, p) + \mathrm{xlog1py}(1-p, -p))",
    source=f"{SCIPY}.xlogy and xlog1py",
    notes="a sum of terms that are not negative, 1 - p inside log1p",
)
def entropy_xlog1py(p: Array) -> Array:
    xp, zero, one = p.__array_namespace__(), like(0, p), like(1, p)
    q = one - p
    return -(p * xp.log(xp.where(p == zero, one, p)) + q * xp.log1p(xp.where(q == zero, zero, -p)))


@kernel(
    "binary_entropy",
    "torch_bernoulli",
    formula=r"q = \min(\max(p, \varepsilon_{mach}), 1-\varepsilon_{mach});\ x = \log q - \log\mathrm{1p}(-q);\ "
    r"(1-p) x + (\max(-x, 0) + \log\mathrm{1p}(e^{-|x|}))",
    source=f"{TORCH} torch.distributions.Bernoulli(probs).entropy",
    notes="by way of a clamped logit: the two terms cancel for small p",
    variants={"": {"eps": machine_epsilon}},
)
def entropy_torch_bernoulli(p: Array, eps: Array) -> Array:
    xp, zero, one = p.__array_namespace__(), like(0, p), like(1, p)
    x = logit_difference(clip(p, eps))
    return (one - p) * x + (xp.maximum(-x, zero) + xp.log1p(xp.exp(-xp.abs(x))))


# -- bernoulli_kl(p, y) = D(y || p) --------------------------------------------------------------------


@kernel(
    "bernoulli_kl",
    "naive",
    family=NO_CLAMP,
    formula=r"y \log(y / p) + (1-y) \log((1-y) / (1-p))",
    source="textbook form",
    notes="0 * log 0 = NaN for hard targets; the terms cancel near p = y",
)
def kl_naive(p: Array, y: Array) -> Array:
    xp, one = p.__array_namespace__(), like(1, p)
    q, z = one - p, one - y
    return y * xp.log(y / p) + z * xp.log(z / q)


@kernel(
    "bernoulli_kl",
    "clip",
    family=CLIPPED,
    formula=r"a = \max(y, \epsilon),\ b = \max(p, \epsilon),\ \text{likewise } 1-y \text{ and } 1-p;\ "
    r"a \log(a / b) + a' \log(a' / b')",
    source="keras==3.15.1 keras/src/losses/losses.py kl_divergence, of the pair (p, 1-p)",
    notes="plateau at -log eps; the terms cancel near p = y",
    variants=EPS,
)
def kl_clip(p: Array, y: Array, eps: Array) -> Array:
    xp, one = p.__array_namespace__(), like(1, p)
    a, b = xp.maximum(y, eps), xp.maximum(p, eps)
    c, d = xp.maximum(one - y, eps), xp.maximum(one - p, eps)
    return a * xp.log(a / b) + c * xp.log(c / d)


@kernel(
    "bernoulli_kl",
    "rel_entr",
    formula=r"r(y, p) + r(1-y, 1-p),\ r(a, b) = a \log(a / b),\ r(0, b) = 0",
    source=f"{SCIPY}.rel_entr",
    notes="the terms cancel near p = y",
)
def kl_rel_entr(p: Array, y: Array) -> Array:
    one = like(1, p)
    return _rel_entr(y, p) + _rel_entr(one - y, one - p)


def _rel_entr(a: Array, b: Array) -> Array:
    xp, zero, one = b.__array_namespace__(), like(0, b), like(1, b)
    return a * xp.log(xp.where(a == zero, one, a / b))


@kernel(
    "bernoulli_kl",
    "kl_div",
    formula=r"d(y, p) + d(1-y, 1-p),\ d(a, b) = a \log(a / b) - a + b,\ d(0, b) = b",
    source=f"{SCIPY}.kl_div",
    notes="neither term is negative, but each cancels within itself near p = y",
)
def kl_kl_div(p: Array, y: Array) -> Array:
    one = like(1, p)
    q, z = one - p, one - y
    return (_rel_entr(y, p) - y + p) + (_rel_entr(z, q) - z + q)


@kernel(
    "bernoulli_kl",
    "log_difference",
    formula=r"(\mathrm{xlogy}(y, y) - y \log p) + (\mathrm{xlogy}(1-y, 1-y) - (1-y) \log\mathrm{1p}(-p))",
    source=f"{TORCH} torch.nn.functional.kl_div, of the pair (log p, log(1-p))",
    notes="entropy subtracted from cross-entropy: cancels near p = y; 0 * log 0 = NaN for hard targets",
)
def kl_log_difference(p: Array, y: Array) -> Array:
    xp, one = p.__array_namespace__(), like(1, p)
    z = one - y
    return (-_entr(y) - y * xp.log(p)) + (-_entr(z) - z * xp.log1p(-p))


@kernel(
    "bernoulli_kl",
    "loader",
    formula=r"d(y, p) + d(1-y, 1-p);\ v = (a-b)/(a+b),\ |v| < 0.1: d = (a-b) v + 2 a v \sum_k v^{2k} / (2k+1)",
    source="C. Loader (2000), Fast and Accurate Computation of Binomial Probabilities; R 4 src/nmath/bd0.c",
    notes="1 - y and 1 - p are rounded before they are subtracted; a / b overflows; cancels next to |v| = 0.1",
)
def kl_loader(p: Array, y: Array) -> Array:
    xp, one = p.__array_namespace__(), like(1, p)
    q, z = one - p, one - y

    def deviance(a: Array, b: Array) -> Array:
        v = _over(a - b, a + b)
        far = _rel_entr(a, b) - (a - b)
        return xp.where(xp.abs(v) < like("0.1", b), _series(a, a - b, v, 10), far)

    return deviance(y, p) + deviance(z, q)


@kernel(
    "bernoulli_kl",
    "deviance",
    formula=r"\delta = y-p;\ d(y, p, \delta) + d(1-y, 1-p, -\delta);\ v = \delta/(a+b),\ "
    r"|v| < 1/3: d = \delta v + 2 a v \sum_k v^{2k} / (2k+1);\ \text{else } a \log(a/b) - \delta",
    source="Loader's form with the difference that is exact near p = y, thrice as wide, and a quotient below 1",
    notes="a sum of terms that are not negative: no cancellation and no overflow",
)
def kl_deviance(p: Array, y: Array) -> Array:
    xp, zero, one = p.__array_namespace__(), like(0, p), like(1, p)

    def deviance(a: Array, b: Array, difference: Array) -> Array:
        v = _over(difference, a + b)
        # a / b may overflow; the lesser over the greater does not, and where it is subnormal the logs differ much.
        lesser, greater = xp.minimum(a, b), xp.maximum(a, b)
        ratio = _over(lesser, greater)
        log = xp.where(ratio < like(min_normal, p), xp.log(lesser) - xp.log(greater), xp.log(ratio))
        far = xp.where(a == zero, zero, a * xp.where(a < b, log, -log)) - difference
        return xp.where(xp.abs(v) < one / like(3, b), _series(a, difference, v, 3), far)

    return deviance(y, p, y - p) + deviance(one - y, one - p, p - y)


def min_normal(fmt: Format) -> float:
    """Return 2^emin, the format's smallest normal number, as a kernel's parameter."""
    return fmt.min_normal


def _over(a: Array, b: Array) -> Array:
    """Compute a / b, and a where b is 0."""
    xp, zero, one = b.__array_namespace__(), like(0, b), like(1, b)
    return a / xp.where(b == zero, one, b)


def _series(a: Array, difference: Array, v: Array, base: int) -> Array:
    """Compute a log(a/b) - difference by Loader's series, with its terms up to base^-2k < 2^-p."""
    total, square = like(0, v) * v, v * v
    for k in range(math.ceil(format_of(v.dtype).precision / (2 * math.log2(base))), 0, -1):
        total = (total + like(1, v) / like(2 * k + 1, v)) * square
    return difference * v + like(2, v) * (a * v) * total
