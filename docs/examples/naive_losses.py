"""Naive losses, each in a few lines of NumPy, written after the kinds that studies of numerical bugs report.

The studies' subjects are whole programs, most of them with the mean or sum of a loss whose log, exp or quotient fails;
what stands here is that loss, written anew for one input and its target, in the form that the study's kind has.  A
two-class softmax is that of the logits (x, 0).  Each docstring names the problem it is meant to compute, what it is, and
the study whose kind it is of:

GRIST: Yan et al., ESEC/FSE 2021, doi:10.1145/3468264.3468612.  RANUM: Li et al., ICSE 2023, arXiv:2302.06086.
DEBAR: Zhang et al., ESEC/FSE 2020, doi:10.1145/3368089.3409720.  DeepStability: Kloberdanz et al., ICSE 2022,
doi:10.1145/3510003.3510095.  Wang: Wang et al., ASE 2022, doi:10.1145/3551349.3559561.  TensorFuzz: Odena et al., ICML
2019, PMLR 97.
"""

from __future__ import annotations

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# -- cross-entropy of a sigmoid -------------------------------------------------------------------


def sigmoid_log(x, y):
    """bce_logits | log of a sigmoid | GRIST"""
    p = sigmoid(x)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def sigmoid_log_mean(x, y):
    """bce_logits | mean of log of a sigmoid | GRIST"""
    p = sigmoid(x)
    return np.mean(-y * np.log(p) - (1 - y) * np.log(1 - p))


def sigmoid_log_sum(x, y):
    """bce_logits | sum of log of a sigmoid | GRIST"""
    p = sigmoid(x)
    return -np.sum(y * np.log(p) + (1 - y) * np.log(1 - p))


def sigmoid_clip(x, y):
    """bce_logits | log of a clipped sigmoid | GRIST"""
    p = np.clip(sigmoid(x), 1e-7, 1 - 1e-7)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def sigmoid_clip_mean(x, y):
    """bce_logits | mean of log of a sigmoid clipped from below | GRIST"""
    p = sigmoid(x)
    return np.mean(-(y * np.log(np.maximum(p, 1e-10)) + (1 - y) * np.log(np.maximum(1 - p, 1e-10))))


def sigmoid_eps(x, y):
    """bce_logits | log of a sigmoid with an eps | GRIST"""
    p = sigmoid(x)
    return -(y * np.log(p + 1e-8) + (1 - y) * np.log(1 - p + 1e-8))


def sigmoid_two_logs(x, y):
    """bce_logits | targets subtracted from 1 in another order | RANUM"""
    p = sigmoid(x)
    return -(y * np.log(p)) + (y - 1) * np.log(1 - p)


def sigmoid_of_exp(x, y):
    """bce_logits | log of e^x / (1 + e^x) | DeepStability"""
    e = np.exp(x)
    p = e / (1 + e)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def sigmoid_of_tanh(x, y):
    """bce_logits | log of a sigmoid by tanh | DeepStability"""
    p = 0.5 * (np.tanh(0.5 * x) + 1)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def clipped_logit(x, y):
    """bce_logits | log of a sigmoid of a clipped logit | Wang"""
    p = sigmoid(np.clip(x, -15, 15))
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def where_target(x, y):
    """bce_logits | the target chooses the log | Wang"""
    p = sigmoid(x)
    return np.where(y == 1, -np.log(p), -np.log(1 - p))


def true_probability(x, y):
    """bce_logits | log of the probability of the target | Wang"""
    p = sigmoid(x)
    return -np.log(y * p + (1 - y) * (1 - p))


def logits_exp(x, y):
    """bce_logits | x - x y + log(1 + e^-x) | DeepStability"""
    return x - x * y + np.log(1 + np.exp(-x))


def logits_softplus(x, y):
    """bce_logits | log(1 + e^x) - x y | DeepStability"""
    return np.log(1 + np.exp(x)) - x * y


def logits_fused(x, y):
    """bce_logits | the libraries' fused form, which loses small losses | DeepStability"""
    return np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))


def logits_tensorflow_1(x, y):
    """bce_logits | (1 - y) x and a log of 1 + e^-abs(x) | DeepStability"""
    return (1 - y) * x + np.log(1 + np.exp(-np.abs(x))) + np.maximum(-x, 0)


# -- cross-entropy of a softmax of two logits -----------------------------------------------------


def softmax_log(x, y):
    """bce_logits | log of a two-class softmax | GRIST"""
    a, b = np.exp(x), np.exp(0 * x)
    return -(y * np.log(a / (a + b)) + (1 - y) * np.log(b / (a + b)))


def softmax_log_mean(x, y):
    """bce_logits | mean of log of a two-class softmax | GRIST"""
    a, b = np.exp(x), np.exp(0 * x)
    return -np.mean(y * np.log(a / (a + b)) + (1 - y) * np.log(b / (a + b)))


def softmax_shifted(x, y):
    """bce_logits | log of a softmax of shifted logits | TensorFuzz"""
    m = np.maximum(x, 0)
    a, b = np.exp(x - m), np.exp(0 - m)
    return -(y * np.log(a / (a + b)) + (1 - y) * np.log(b / (a + b)))


def softmax_clip(x, y):
    """bce_logits | log of a clipped two-class softmax | GRIST"""
    a, b = np.exp(x), np.exp(0 * x)
    p, q = np.clip(a / (a + b), 1e-10, 1.0), np.clip(b / (a + b), 1e-10, 1.0)
    return -(y * np.log(p) + (1 - y) * np.log(q))


def softmax_eps(x, y):
    """bce_logits | log of a two-class softmax with an eps | GRIST"""
    a, b = np.exp(x), np.exp(0 * x)
    return -(y * np.log(a / (a + b) + 1e-6) + (1 - y) * np.log(b / (a + b) + 1e-6))


def log_sum_exp(x, y):
    """bce_logits | log of a sum of exponentials, less the target's logit | DeepStability"""
    return np.log(np.exp(x) + np.exp(0 * x)) - y * x


# -- cross-entropy of a probability ---------------------------------------------------------------


def probability_log(p, y):
    """bce | log of a probability | GRIST"""
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def probability_clip(p, y):
    """bce | log of a clipped probability | GRIST"""
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def probability_eps(p, y):
    """bce | log of a probability with an eps | GRIST"""
    return -(y * np.log(p + 1e-10) + (1 - y) * np.log(1 - p + 1e-10))


def probability_mean(p, y):
    """bce | mean of log of a clipped probability | RANUM"""
    return -np.mean(y * np.log(np.maximum(p, 1e-10)) + (1 - y) * np.log(np.maximum(1 - p, 1e-10)))


def probability_by_logit(p, y):
    """bce | the logit of a clipped probability, then a fused loss | Wang"""
    p = np.clip(p, 1e-7, 1 - 1e-7)
    x = np.log(p / (1 - p))
    return np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))


# -- divergences and entropy ----------------------------------------------------------------------


def kl(p, y):
    """bernoulli_kl | y log(y / p) | GRIST"""
    return y * np.log(y / p) + (1 - y) * np.log((1 - y) / (1 - p))


def kl_eps(p, y):
    """bernoulli_kl | y log(y / p) with an eps | GRIST"""
    return y * np.log((y + 1e-10) / (p + 1e-10)) + (1 - y) * np.log((1 - y + 1e-10) / (1 - p + 1e-10))


def kl_two_logs(p, y):
    """bernoulli_kl | y (log y - log p), as of a sparse autoencoder | DEBAR"""
    return y * (np.log(y) - np.log(p)) + (1 - y) * (np.log(1 - y) - np.log(1 - p))


def entropy(p):
    """binary_entropy | -p log p | GRIST"""
    return -(p * np.log(p) + (1 - p) * np.log(1 - p))


def entropy_eps(p):
    """binary_entropy | -p log(p + eps) | GRIST"""
    return -(p * np.log(p + 1e-8) + (1 - p) * np.log(1 - p + 1e-8))


def entropy_where(p):
    """binary_entropy | p log p where p > 0 | Wang"""
    q = 1 - p
    return -(np.where(p > 0, p * np.log(p), 0) + np.where(q > 0, q * np.log(q), 0))


# -- focal losses ---------------------------------------------------------------------------------


def focal(x):
    """focal | (1 - p)^2 log p | Wang"""
    p = sigmoid(x)
    return -((1 - p) ** 2) * np.log(p)


def focal_clip(x):
    """focal | (1 - p)^2 log p of a clipped p | Wang"""
    p = np.clip(sigmoid(x), 1e-7, 1 - 1e-7)
    return -((1 - p) ** 2) * np.log(p)


def focal_of_loss(x):
    """focal | (1 - e^-l)^2 l of a loss l | Wang"""
    loss = np.log(1 + np.exp(-x))
    return (1 - np.exp(-loss)) ** 2 * loss


def focal_root(x):
    """focal_g0.5 | sqrt(1 - p) log p | Wang"""
    p = sigmoid(x)
    return -np.sqrt(1 - p) * np.log(p)


# -- what losses are made of ----------------------------------------------------------------------


def reciprocal_sigmoid(x):
    """sigmoid | 1 / (1 + e^-x) | DeepStability"""
    return 1 / (1 + np.exp(-x))


def two_class_softmax(x):
    """sigmoid | e^x / (e^x + e^0) | GRIST"""
    return np.exp(x) / (np.exp(x) + np.exp(0 * x))


def plain_softplus(x):
    """softplus | log(1 + e^x) | DeepStability"""
    return np.log(1 + np.exp(x))


def threshold_softplus(x):
    """softplus | log(1 + e^x), and x beyond a threshold | DeepStability"""
    return np.where(x > 15, x, np.log(1 + np.exp(x)))


def log_of_sigmoid(x):
    """log_sigmoid | log(sigmoid x) | DeepStability"""
    return np.log(sigmoid(x))


def log_of_sigmoid_eps(x):
    """log_sigmoid | log(sigmoid x + eps), as of a GAN's generator | GRIST"""
    return np.log(sigmoid(x) + 1e-8)


def minus_log_reciprocal(x):
    """softplus | -log(1 / (1 + e^x)), as of a GAN's discriminator | GRIST"""
    return -np.log(1 / (1 + np.exp(x)))


def log_less_exp(x):
    """log1mexp | log(1 - e^-a) | DeepStability"""
    return np.log(1 - np.exp(-x))


def log_odds(p):
    """logit | log(p / (1 - p)) | Wang"""
    return np.log(p / (1 - p))


def log_odds_reciprocal(p):
    """logit | -log(1 / p - 1) | Wang"""
    return -np.log(1 / p - 1)


def quotient_tanh(x):
    """tanh | a quotient of exponentials | DeepStability"""
    return (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))


def sigmoid_slope(x):
    """sigmoid_grad | p (1 - p) | DeepStability"""
    p = sigmoid(x)
    return p * (1 - p)


def sigmoid_slope_exp(x):
    """sigmoid_grad | e^-x / (1 + e^-x)^2 | DeepStability"""
    return np.exp(-x) / (1 + np.exp(-x)) ** 2


def loss_slope(x, y):
    """bce_logits_grad | p - y | DeepStability"""
    return sigmoid(x) - y


NAIVE = [v for v in list(globals().values()) if callable(v) and "|" in (v.__doc__ or "")]
