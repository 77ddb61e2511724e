"""XGBoost, LightGBM and CatBoost through their own evaluation metrics, one data row a call.

A metric is an average over rows, so that of a data set of one row is its loss.  The logit comes in as
the margin (score, approximation) that training starts from, with no trees on top.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from harness.systems.registry import Call, System

Array = np.ndarray


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
