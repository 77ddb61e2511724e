"""What each column of a table holds, a sentence for each; the documentation's reference prints them.

The columns themselves are named by the modules that write them; a test asks that each of them has its sentence here.
"""

from __future__ import annotations

MEANINGS = {
    # The contract: first in every table of problem, kernel, format and target, in this order.
    "problem": "The exact function.",
    "kernel": "The way of computing it; in tables of libraries, the call.",
    "format": "The floating-point format of inputs and results.",
    "target": "The label y; empty where the problem has none.",
    "grid": "Which inputs were visited: exhaustive, standard or quick; search in tables of worst inputs.",
    "points": "How many inputs were visited.",
    "exhaustive": "Whether they are all inputs of the format in the problem's domain.",
    "max_ulp": "The largest error in ulp: the maximum where `exhaustive` is true, else a lower bound.",
    "max_ulp_input": "The input that has it, in hex.",
    "max_ulp_computed": "What the kernel returns there, in hex.",
    "max_ulp_exact": "The exact value there, in at least 25 decimal digits.",
    "mean_ulp": "The mean error in ulp over finite results, each bit pattern counted once.",
    "max_rel": "The largest relative error.",
    "max_abs": "The largest absolute error.",
    "correctly_rounded": "The share of points whose result is the exact value rounded to nearest even.",
    "spurious_nan": "How many results are NaN where the exact value is a number.",
    "spurious_inf": "How many are infinite where the exact value rounds to something else.",
    "spurious_zero": "How many are 0 where the exact value rounds to a nonzero number.",
    "wrong_sign": "How many are nonzero with the wrong sign.",
    "safe_lo": "The lower end of the safe range, in hex; an outer bound on a sample.",
    "safe_hi": "Its upper end.",
    # Beside the contract.
    "capped": "How many results are finite where the exact value is infinite.",
    "max_rel_input": "The input of the largest relative error.",
    "max_abs_input": "The input of the largest absolute error.",
    "bias_ulp": "The part of `max_ulp` that the formula itself costs, evaluated exactly.",
    "rounding_ulp": "The part that comes from rounding.",
    "cause": "Why the result is wrong there, in a word: cancellation, absorption, overflow, clamp and so on.",
    "operation": "The operation at fault, with its operands.",
    "reason": "The cause in a sentence, with what avoids it.",
    "remedy": "The kernel that stays within 4 ulp, empty where none does.",
    "max_basis": "How `max_ulp` is known: proved, every_input, search or sample.",
    "safe_basis": "How the safe range is known, in the same words.",
    "nan_input": "The input nearest to the problem's centre with a spurious NaN; empty where none has one.",
    "inf_input": "The same of a spurious infinity.",
    "zero_input": "The same of a spurious zero.",
    "sign_input": "The same of a wrong sign.",
    "usual_max_ulp": "The largest error in the usual range: logits up to 20 in size, normal exact values.",
    "usual_max_ulp_input": "The input that has it.",
    "condition": "The problem's condition number at `max_ulp_input`.",
    "id": "The row's identifier: `harness cite` takes it.",
    # Tables of bounds.
    "cells": "How many cells of inputs were measured.",
    "bounded": "The share of them whose a priori bound is finite.",
    "active": "How many cells measure half an ulp or more.",
    "median_ratio": "The median of bound over measured error, over active cells.",
    "max_bound_ulp": "The largest finite bound.",
    "function_errors": "How the errors of exp, log and their like were found: at every argument, or on a sample.",
    "safe_inner_lo": "The lower end of the inner safe range, within which the error is proved to stay within 4 ulp.",
    "safe_inner_hi": "Its upper end.",
    "safe_premises": "What its proof stands on.",
    # The atlas.
    "verdict": "Whether the kernel is safe, in a word.",
    "fails": "Which half is at fault, the loss or its gradient.",
    "failure": "What goes wrong outside the safe range, in sentences.",
    "use_instead": "What to use instead.",
    "max_ulp_hard": "The largest error for hard targets.",
    "plateau_y0": "Where the loss for target 0 stops growing.",
    "plateau_y1": "Where the loss for target 1 stops growing.",
    "dead_lo": "The input below which the gradient is 0 and should not be.",
    "dead_hi": "The input above which it is.",
    # Special values.
    "input": "What the input is: infinity, NaN, a zero, an end of the domain.",
    "input_value": "Its value.",
    "computed": "What came back.",
    "expected": "The exact value rounded into the format, or the limit.",
    "outcome": "How the two compare.",
    # Searches.
    "sampled_ulp": "The largest error of the first sample.",
    "improvement": "The maximum as a multiple of it.",
    "evaluations_to_best": "After how many evaluations of its seed's search the maximum was found.",
    "interpolated": "How many inputs were looked at by interpolation.",
    "seed": "The seed whose search found it.",
    "seeds": "How many seeds were tried.",
    "least_ulp": "The least of what they found.",
    "found_for": "The row whose search found the input, where that is another, or that an earlier search did.",
}
RANGES = {
    f"{kind}_{end}_{targets}": f"The {told} end of the {name} range, {whom}."
    for kind, name in (("safe", "safe"), ("safe_inner", "proved inner"))
    for end, told in (("lo", "lower"), ("hi", "upper"))
    for targets, whom in (("hard", "for hard targets"), ("all", "for all targets"))
}
KNOWN_AS = {
    "max_basis_hard": "How the largest error for hard targets is known.",
    "safe_basis_hard": "How the safe range for hard targets is known.",
    "safe_basis_all": "How the safe range for all targets is known.",
}
MEANINGS |= RANGES | KNOWN_AS
