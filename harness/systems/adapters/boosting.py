"""XGBoost, LightGBM and CatBoost through their own evaluation metrics, one data row a call.

A metric is an average over rows, so that of a data set of one row is its loss.  The logit comes in as
the margin (score, approximation) that training starts from, with no trees on top.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from harness.kernels.registry import Array
from harness.systems.registry import Call, Library, System
from harness.systems.replicas import replica

LIBRARIES = (
    Library("xgboost", __name__, ("xgboost",), {}, "the C library's float32 exp and log", order=100),
    Library("lightgbm", __name__, ("lightgbm",), order=100, default_format="float64"),
    Library("catboost", __name__, ("catboost",), order=100, default_format="float64"),
)

# -- calls -------------------------------------------------------------------------------------


def _load_xgboost() -> Call:
    import xgboost

    row = xgboost.DMatrix(np.zeros((1, 1), np.float32), label=np.zeros(1, np.float32))
    settings = {"objective": "binary:logistic", "eval_metric": "logloss", "base_score": 0.5, "nthread": 1}
    booster = xgboost.train(settings, row, num_boost_round=0)

    def loss(x: np.floating, y: np.floating) -> float:
        row.set_info(base_margin=np.array([x]), label=np.array([y]))
        return float(re.fullmatch(r"\[0\]\teval-logloss:(\S+)", booster.eval(row))[1])  # type: ignore[index]

    return lambda x, y: np.array([loss(*pair) for pair in zip(x, y, strict=True)])


def _load_lightgbm(metric: str) -> Any:
    def load() -> Call:
        import lightgbm

        settings = {"objective": "binary", "metric": metric, "verbose": -1, "num_threads": 1}
        train = lightgbm.Dataset(np.zeros((2, 1)), label=[0, 1], params=settings)

        def loss(x: np.floating, y: np.floating) -> float:
            row = lightgbm.Dataset(np.zeros((1, 1)), label=[y], init_score=[x], reference=train, params=settings)
            booster = lightgbm.Booster(settings, train)
            return booster.add_valid(row, "row").eval_valid()[0][2]

        return lambda x, y: np.array([loss(*pair) for pair in zip(x, y, strict=True)])

    return load


def _load_catboost() -> Call:
    from catboost.utils import eval_metric

    def loss(x: np.floating, y: np.floating) -> float:
        return eval_metric([float(y)], [float(x)], "Logloss", thread_count=1)[0]

    return lambda x, y: np.array([loss(*pair) for pair in zip(x, y, strict=True)])


ROW = "one call a row; "
SYSTEMS = (
    System(
        "xgboost logloss",
        "xgboost",
        "bce_logits",
        "metric",
        _load_xgboost,
        "xgboost",
        ROW + "the metric comes as text with 17 decimals, which hold every digit of a float32 above 1e-8",
        formats=("float32",),
        hard_targets=True,
        max_points=4096,
    ),
    System(
        "lightgbm binary_logloss",
        "lightgbm",
        "bce_logits",
        "metric",
        _load_lightgbm("binary_logloss"),
        "lightgbm",
        ROW + "targets are stored in float32",
        formats=("float64",),
        hard_targets=True,
        max_points=2048,
    ),
    System(
        "lightgbm cross_entropy",
        "lightgbm",
        "bce_logits",
        "metric",
        _load_lightgbm("cross_entropy"),
        "lightgbm_cross_entropy",
        ROW + "targets are stored in float32",
        formats=("float64",),
        hard_targets=True,
        max_points=2048,
    ),
    System(
        "catboost Logloss",
        "catboost",
        "bce_logits",
        "metric",
        _load_catboost,
        "catboost",
        ROW + "targets are stored in float32",
        formats=("float64",),
        hard_targets=True,
        max_points=4096,
    ),
)


def systems(library: str) -> list[System]:
    """Return the systems of one of the three."""
    return [s for s in SYSTEMS if s.library == library]


# -- replicas ----------------------------------------------------------------------------------


@replica(
    "bce_logits",
    "xgboost",
    r"p = 1/(e^{\min(-x, 88.7)} + 1 + 10^{-16});\ -y\log\max(p,10^{-16}) - (1-y)\log\max(1-p,10^{-16})",
    "xgboost==3.2.0 src/common/math.h, src/metric/elementwise_metric.cu",
    "float32; a term of zero weight is skipped",
)
def xgboost_logloss(x: Array, y: Array) -> Array:
    """Compute XGBoost's sigmoid, 1 / ((e^min(-x, 88.7) + 1) + 1e-16), and its logloss of that, in float32."""
    f32 = np.float32
    p = f32(1) / ((np.exp(np.minimum(-x.astype(f32), f32(88.7))) + f32(1)) + f32(1e-16))
    return np.where(y == 1, -np.log(np.maximum(p, f32(1e-16))), -np.log(np.maximum(f32(1) - p, f32(1e-16))))


def _lightgbm(x: Array, y: Array, floor: np.floating) -> Array:
    p = 1 / (1 + np.exp(-x.astype(np.float64)))
    q = np.where(y > 0, p, 1 - p)
    return np.where(q > floor, -np.log(q), np.float64(-np.log(floor)))


replica(
    "bce_logits",
    "lightgbm",
    r"q = y > 0\ ?\ p : 1-p;\ -\log\max(q, 10^{-15})",
    "lightgbm==4.7.0 src/metric/binary_metric.hpp",
    "double; the floor and its log are float32",
)(lambda x, y: _lightgbm(x, y, np.float32(1e-15)))
replica(
    "bce_logits",
    "lightgbm_cross_entropy",
    r"-\log\max(q, 10^{-12})",
    "lightgbm==4.7.0 src/metric/xentropy_metric.hpp",
    "double",
)(lambda x, y: _lightgbm(x, y, np.float64(1e-12)))


@replica(
    "bce_logits",
    "catboost",
    r"(\mathrm{finite}(e^x)\ ?\ \log(1+e^x) : x) - y x",
    "catboost==1.2.10 catboost/libs/metrics/metric.cpp",
    "double",
)
def catboost_logloss(x: Array, y: Array) -> Array:
    """Compute log(1 + e^x) - y x in float64, CatBoost's Logloss; x - y x where e^x overflows."""
    e = np.exp(x.astype(np.float64))
    return np.where(np.isfinite(e), np.log(1 + e), x) - y * x
