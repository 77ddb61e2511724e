"""Losses as libraries and repositories publish them, each rewritten in NumPy in its shortest form, with its source.

Only what decides the numbers is kept: the operations, their order and their constants.  Reductions, masks and options
are left out.  `harness check docs/examples/published.py:keras --problem bce --format float32` measures one of them;
docs/published.md has what it says of all, and docs/published.py makes that page.
"""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def with_logits(x, y):
    """The stable form that torch, TensorFlow and others use inside their losses from logits."""
    return np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))


# -- from probabilities -------------------------------------------------------------------------------


def keras(p, y):
    """bce | Keras, binary_crossentropy | keras==3.15.1 keras/src/backend/numpy/nn.py"""
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def scikit_learn(p, y):
    """bce | scikit-learn, log_loss | scikit-learn==1.9.1 sklearn/metrics/_classification.py"""
    eps = np.finfo(p.dtype).eps
    p = np.clip(p, eps, 1 - eps)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def paddle(p, y):
    """bce | PaddlePaddle, log_loss | PaddlePaddle/Paddle python/paddle/nn/functional/loss.py"""
    return -y * np.log(p + 1e-4) - (1 - y) * np.log(1 - p + 1e-4)


def mxnet(p, y):
    """bce | MXNet Gluon, SigmoidBCELoss(from_sigmoid=True) | apache/mxnet python/mxnet/gluon/loss.py"""
    eps = 1e-12
    return -(np.log(p + eps) * y + np.log(1 - p + eps) * (1 - y))


def pytorch_retinanet(p, y):
    """bce | pytorch-retinanet, FocalLoss | yhenon/pytorch-retinanet retinanet/losses.py"""
    p = np.clip(p, 1e-4, 1 - 1e-4)
    alpha = np.where(y == 1, np.float32(0.25), np.float32(0.75)).astype(p.dtype)
    weight = alpha * np.where(y == 1, 1 - p, p) ** 2
    return weight * -(y * np.log(p) + (1 - y) * np.log(1 - p))


# -- from logits ----------------------------------------------------------------------------------------


def tensorflow(x, y):
    """bce_logits | TensorFlow, sigmoid_cross_entropy_with_logits | tensorflow python/ops/nn_impl.py"""
    zero = np.zeros_like(x)
    relu, negative = np.where(x >= zero, x, zero), np.where(x >= zero, -x, x)
    return relu - x * y + np.log1p(np.exp(negative))


def tensorflow_weighted(x, y, pos_weight=3):
    """bce_logits | TensorFlow, weighted_cross_entropy_with_logits(pos_weight=3) | tensorflow python/ops/nn_impl.py"""
    weight = 1 + (pos_weight - 1) * y
    return (1 - y) * x + weight * (np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0))


def chainer(x, t):
    """bce_logits | Chainer, sigmoid_cross_entropy | chainer/chainer chainer/functions/loss/sigmoid_cross_entropy.py"""
    return -(x * (t - (x >= 0).astype(x.dtype)) - np.log1p(np.exp(-np.abs(x))))


def optax(x, y):
    """bce_logits | Optax, sigmoid_binary_cross_entropy | optax==0.2.8 optax/losses/_classification.py"""
    log_p, log_not_p = -np.logaddexp(-x, 0), -np.logaddexp(x, 0)
    return -y * log_p - (1 - y) * log_not_p


def statsmodels(x, y):
    """bce_logits | statsmodels, Logit.loglikeobs | statsmodels==0.15.0 statsmodels/discrete/discrete_model.py"""
    q = 2 * y - 1
    return -np.log(sigmoid(q * x))


def pytorch_geometric(x, y):
    """bce_logits | PyTorch Geometric, GAE.recon_loss | pyg-team/pytorch_geometric torch_geometric/nn/models/autoencoder.py"""
    eps = 1e-15
    return np.where(y == 1, -np.log(sigmoid(x) + eps), -np.log(1 - sigmoid(x) + eps))


def yolov5_smoothed(x, y):
    """bce_logits | YOLOv5, smooth_BCE(eps=0.1) and BCEWithLogitsLoss | ultralytics/yolov5 utils/loss.py"""
    positive, negative = 1 - 0.5 * 0.1, 0.5 * 0.1
    return with_logits(x, y * positive + (1 - y) * negative)


def torchvision_focal(x, y):
    """bce_logits | torchvision, sigmoid_focal_loss | pytorch/vision torchvision/ops/focal_loss.py"""
    p = sigmoid(x)
    p_t = p * y + (1 - p) * (1 - y)
    loss = with_logits(x, y) * (1 - p_t) ** 2
    return (0.25 * y + 0.75 * (1 - y)) * loss


def mmdetection_focal(x, y):
    """bce_logits | MMDetection, py_sigmoid_focal_loss | open-mmlab/mmdetection mmdet/models/losses/focal_loss.py"""
    p = sigmoid(x)
    wrong = (1 - p) * y + p * (1 - y)
    return with_logits(x, y) * (0.25 * y + 0.75 * (1 - y)) * wrong**2


def yolov5_focal(x, y):
    """bce_logits | YOLOv5, FocalLoss(gamma=1.5, alpha=0.25) | ultralytics/yolov5 utils/loss.py"""
    p = sigmoid(x)
    p_t = y * p + (1 - y) * (1 - p)
    return with_logits(x, y) * (y * 0.25 + (1 - y) * 0.75) * (1 - p_t) ** 1.5


def asymmetric(x, y):
    """bce_logits | ASL, AsymmetricLoss | Alibaba-MIIL/ASL src/loss_functions/losses.py"""
    p = sigmoid(x)
    q = np.minimum(1 - p + 0.05, 1)
    loss = y * np.log(np.maximum(p, 1e-8)) + (1 - y) * np.log(np.maximum(q, 1e-8))
    p_t = p * y + q * (1 - y)
    return -(loss * (1 - p_t) ** (y + 4 * (1 - y)))


# -- parts of losses ------------------------------------------------------------------------------------


def baselines_reward(x):
    """softplus | OpenAI Baselines, the reward of GAIL | openai/baselines baselines/gail/adversary.py"""
    return -np.log(1 - sigmoid(x) + 1e-8)


def xgboost_objective(x, y):
    """bce_logits_grad | XGBoost, the logistic objective of its demo | dmlc/xgboost demo/guide-python/custom_objective.py"""
    return sigmoid(x) - y


def imbalance_xgboost(x):
    """focal_grad | Imbalance-XGBoost, the gradient for label 1, gamma=2 | jhwjhw0123/Imbalance-XGBoost imxgboost/focal_loss.py"""
    p = sigmoid(x)
    wrong = 1 - p
    right = 1 - 1 + p
    return 2 * p * wrong**2 * np.log(right + 1e-9) - wrong**3


PUBLISHED = (
    keras, scikit_learn, paddle, mxnet, pytorch_retinanet, tensorflow, tensorflow_weighted, chainer, optax, statsmodels,
    pytorch_geometric, yolov5_smoothed, torchvision_focal, mmdetection_focal, yolov5_focal, asymmetric,
    baselines_reward, xgboost_objective, imbalance_xgboost,
)  # fmt: skip
