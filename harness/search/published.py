"""The worst inputs that others have found for the functions inside the losses, and pairs that earlier searches found.

P. Zimmermann and others search C libraries and vector libraries for the largest errors of their functions and keep
the inputs: https://gitlab.inria.fr/zimmerma/math_accuracy, binary64/check_sample.c, round to nearest; the method is
in https://inria.hal.science/hal-03141101.  An input that is worst for one library is often bad for another.

A search may not find again what one of another budget, seed or version found.
"""

from __future__ import annotations

import numpy as np

from harness.numbers.formats import Format
from harness.problems import Problem

WORST = {
    "exp": "-0x1.49f33ad2c1c58p+9 0x1.fce66609f7428p+5 0x1.b97dc8345c55p+5 0x1.2e8f20cf3cbe7p+8 -0x1.18209ecd19a8cp+6 "
    "-0x1.4133f4fd79c1cp-13 0x1p-53 -0x1.205968aae119fp-8 -0x1.2059763f8882bp-8 -0x1.205968a73d4abp-8 "
    "-0x1.ffffffa000001p-27",
    "expm1": "0x1.63e063d87938p-2 -0x1.62fe464c64f65p-8 0x1.9a5796c0b73b8p-2 0x1.62ff47a01658fp-2 0x1.e7f93188565ecp-5 "
    "0x1p-52 0x1.86f57e8de4a5p-9 0x1.856b41d86994cp-9 0x1.c3b7c858f0575p-6 -0x1.62d7c116d2e32p-1 0x1.633f993a730c9p-2",
    "log": "0x1.1211bef8f68e9p+0 0x1.008000db2e8bep+0 0x1.108058fed54b3p+0 0x1.48ae5a67204f5p+0 0x1.dc0b586f2b26p-1 "
    "0x1.490af72a25a81p-1 0x1.5b6e7e4e96f86p+2 0x1.00e000c7fa1c3p+0 0x1.002001ffaa4ap+0 0x1.001f01ac83b3p+0 "
    "0x1.0ffc349469a2fp+0",
    "log1p": "-0x1.2bf183e0344b2p-2 0x1.000aee2a2757fp-9 0x1.e0013fd35cbbp-4 -0x1.2bf1de6b04a8ap-2 "
    "-0x1.2bf32aaf122e2p-2 -0x1.ffffff3fffffdp-28 0x1p-53 0x1.000bcdec306p-11 0x1.fff86f9b9acp-12 0x1.075745181aabp-6 "
    "-0x1.8p-53 -0x1.2e496d25897ecp-2",
    "tanh": "0x1.d12ed0af1a27fp-27 0x1.002629fd74484p+0 -0x1.fde5bd2769a01p-1 -0x1.e134557098e37p-3 0x1.00cf9f273d84p+1 "
    "-0x1.000a02c5a8b47p-2 -0x1.00010c3967f16p-2 -0x1.001bf41f56582p-1 0x1.fefc7206bc932p-1 -0x1.c416448380debp-3",
}


# What was worst of a table once: pairs of a float32 input and a soft target, and float64 inputs.
PAIRS = "0x1.000002p+4,0.99999994 -0x1.78f408p+2,0.00018343354 -0x1.a50864p+2,8.5265005e-05 0x1.157774p-1,0.0007025897"
INPUTS = "0x1.46a71cc1b2b6fp+0 0x1.10596b05f1b6ap+5 0x1.4cb5b87bc0e3fp+3 0x1.0f40324cdbf81p+4"

# The functions that a problem with this kind of input needs, with the sign of the input that they are given.
INSIDE = {"logit": (("exp", 1), ("exp", -1)), "probability": (("log", 1), ("log1p", -1))}


def published(problem: Problem, fmt: Format) -> np.ndarray:
    """Return the ordinals of the inputs at which a function inside a problem is at a published input; float64 alone.

    A loss from a logit has exp(x) or exp(-x) inside, one from a probability log(p) and log1p(-p); a problem may
    say otherwise.
    """
    if fmt.name != "float64":
        return np.empty(0, np.int64)
    inside = problem.inside or INSIDE.get(problem.input, ())
    at = [sign * float.fromhex(v) for name, sign in inside for v in WORST[name].split()]
    kept = [v for v in at if problem.domain[0] <= v <= problem.domain[1]]
    return fmt.ordinal(np.array(kept, fmt.dtype))


def known_pairs(fmt: Format) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets of pairs that earlier searches found, shape (n,) each; float32 alone has any."""
    pairs = [pair.split(",") for pair in PAIRS.split()] if fmt.name == "float32" else []
    x, y = (np.array([fmt.parse(pair[i]) for pair in pairs], fmt.dtype) for i in (0, 1))
    return x, y


def known_inputs(fmt: Format) -> np.ndarray:
    """Return inputs that earlier searches along a line found, shape (n,); float64 alone has any."""
    return np.array([fmt.parse(v) for v in INPUTS.split()] if fmt.name == "float64" else [], fmt.dtype)
