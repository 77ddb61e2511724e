"""The rewrite rules: identities of real numbers, each with the domain on which it holds.

A rule is written in egglog's own language, over the operations of expression.py.  `_` stands before constants: _1 is 1,
_half 1/2.  What a rule needs to be positive it asks for by (positive a), which is derived from the expression itself.
The rules are of exact arithmetic alone and know nothing of rounding: which of the expressions that they make errs least
is measured afterwards, so that a wrong one costs candidates and never a wrong result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

LANGUAGE = """
(sort Condition)
(datatype Real
  (X) (Y) (N BigRat)
  (Add Real Real) (Mul Real Real) (Div Real Real) (Neg Real) (Pow Real Real) (Sqrt Real)
  (Exp Real) (Expm1 Real) (Log Real) (Log1p Real) (Tanh Real) (Max Real Real) (Min Real Real) (Abs Real)
  (Softplus Real) (Sigmoid Real) (Logaddexp Real Real) (Xlogy Real Real) (Xlog1py Real Real) (Log1mexp Real)
  (Logit Real) (BinaryKl Real Real) (Where Condition Real Real))
(constructor Less (Real Real) Condition) (constructor LessEqual (Real Real) Condition)
(constructor Greater (Real Real) Condition) (constructor GreaterEqual (Real Real) Condition)
(constructor Equal (Real Real) Condition) (constructor NotEqual (Real Real) Condition)
(constructor Not (Condition) Condition) (constructor And (Condition Condition) Condition)
(constructor Or (Condition Condition) Condition)
(constructor IsNan (Real) Condition) (constructor IsInf (Real) Condition) (constructor IsFinite (Real) Condition)
(relation positive (Real))
(datatype Begun (Start Real))
(let $zero (bigrat (bigint 0) (bigint 1)))
(ruleset identities)
(ruleset regrouping)
"""
CONSTANTS = {"_0": "0 1", "_1": "1 1", "_2": "2 1", "_half": "1 2", "_minus_half": "-1 2", "_minus_1": "-1 1"}


@dataclass(frozen=True)
class Rule:
    """Hold a rule: what it says, on which domain, and how egglog is told."""

    says: str
    domain: str
    told: str
    expands: bool = False  # it regroups terms, and is applied in few rounds, as it makes many expressions of one


def _one_way(says: str, left: str, right: str, domain: str = "all real numbers", given: str = "") -> Rule:
    when = f" :when ({given})" if given else ""
    return Rule(says, domain, f"(rewrite {left} {right}{when})")


def _both_ways(says: str, left: str, right: str, domain: str = "all real numbers", given: str = "") -> Rule:
    when = f" :when ({given})" if given else ""
    return Rule(says, domain, f"(rewrite {left} {right}{when})\n(rewrite {right} {left}{when})")


def _follows(says: str, from_: str, then: str) -> Rule:
    return Rule(says, "all real numbers", f"(rule ({from_}) ({then}))")


ALGEBRA = (
    _one_way("a + b = b + a", "(Add a b)", "(Add b a)"),
    _one_way("a b = b a", "(Mul a b)", "(Mul b a)"),
    _one_way("a + 0 = a", "(Add a _0)", "a"),
    _one_way("1 a = a", "(Mul _1 a)", "a"),
    _one_way("0 a = 0", "(Mul _0 a)", "_0"),
    _one_way("0 / a = 0", "(Div _0 a)", "_0", "a > 0", "(positive a)"),
    _one_way("a / 1 = a", "(Div a _1)", "a"),
    _one_way("-(-a) = a", "(Neg (Neg a))", "a"),
    _both_ways("(-a) b = -(a b)", "(Mul (Neg a) b)", "(Neg (Mul a b))"),
    _both_ways("(-a) / b = -(a / b)", "(Div (Neg a) b)", "(Neg (Div a b))", "b not 0"),
    _one_way("a / (-b) = -(a / b)", "(Div a (Neg b))", "(Neg (Div a b))", "b not 0"),
    _one_way("a - a = 0", "(Add a (Neg a))", "_0"),
    _one_way("a / a = 1", "(Div a a)", "_1", "a > 0", "(positive a)"),
    _one_way("a / (a b) = 1 / b", "(Div a (Mul a b))", "(Div _1 b)", "a > 0", "(positive a)"),
    _one_way("c / b = c (1 / b) of a constant c", "(Div (N a) b)", "(Mul (N a) (Div _1 b))", "b not 0"),
    _one_way("a (1 / b) = a / b", "(Mul a (Div _1 b))", "(Div a b)", "b not 0"),
    _one_way("(a + c) - (b + c) = a - b", "(Add (Add a c) (Neg (Add b c)))", "(Add a (Neg b))"),
    _both_ways("a^2 = a a", "(Pow a _2)", "(Mul a a)"),
    _one_way("a^1 = a", "(Pow a _1)", "a"),
    _both_ways("a^(1/2) = sqrt(a)", "(Pow a _half)", "(Sqrt a)", "a >= 0", "(positive a)"),
    _one_way("|-a| = |a|", "(Abs (Neg a))", "(Abs a)"),
    _one_way("-min(a, 0) = max(-a, 0)", "(Neg (Min a _0))", "(Max (Neg a) _0)"),
    _one_way("where(c, a, a) = a", "(Where c a a)", "a"),
    _one_way("-where(c, a, b) = where(c, -a, -b)", "(Neg (Where c a b))", "(Where c (Neg a) (Neg b))"),
    _one_way("log where(c, a, b) = where(c, log a, log b)", "(Log (Where c a b))", "(Where c (Log a) (Log b))"),
    _follows("sums of constants", "(= e (Add (N a) (N b)))", "(union e (N (+ a b)))"),
    _follows("products of constants", "(= e (Mul (N a) (N b)))", "(union e (N (* a b)))"),
    _follows("quotients of constants", "(= e (Div (N a) (N b))) (!= b $zero)", "(union e (N (/ a b)))"),
    _follows("negative constants", "(= e (Neg (N a)))", "(union e (N (- $zero a)))"),
    _follows("constants below 0", "(= e (N a)) (< a $zero)", "(union e (Neg (N (- $zero a))))"),
    _one_way("(-1) a = -a", "(Mul _minus_1 a)", "(Neg a)"),
)
REGROUPING = (
    _one_way("(a + b) + c = a + (b + c)", "(Add (Add a b) c)", "(Add a (Add b c))"),
    _one_way("(a b) c = a (b c)", "(Mul (Mul a b) c)", "(Mul a (Mul b c))"),
    _one_way("-(a + b) = -a - b", "(Neg (Add a b))", "(Add (Neg a) (Neg b))"),
    _one_way("-a - b = -(a + b)", "(Add (Neg a) (Neg b))", "(Neg (Add a b))"),
    _one_way("a / (b c) = (a / b) (1 / c)", "(Div a (Mul b c))", "(Mul (Div a b) (Div _1 c))", "b, c not 0"),
    _one_way("(1 - b) a = a - a b", "(Mul (Add _1 (Neg b)) a)", "(Add a (Neg (Mul a b)))"),
    _one_way("a b + a c = a (b + c)", "(Add (Mul a b) (Mul a c))", "(Mul a (Add b c))"),
)
EXPONENTIALS = (
    _one_way("log(1 + a) = log1p(a)", "(Log (Add _1 a))", "(Log1p a)", "a > -1"),
    _one_way("e^a - 1 = expm1(a)", "(Add (Exp a) _minus_1)", "(Expm1 a)"),
    _one_way("1 - e^a = -expm1(a)", "(Add _1 (Neg (Exp a)))", "(Neg (Expm1 a))"),
    _one_way("log e^a = a", "(Log (Exp a))", "a"),
    _one_way("e^(log a) = a", "(Exp (Log a))", "a", "a > 0", "(positive a)"),
    _one_way("e^0 = 1", "(Exp _0)", "_1"),
    _one_way("log 1 = 0", "(Log _1)", "_0"),
    _both_ways("e^-a = 1 / e^a", "(Exp (Neg a))", "(Div _1 (Exp a))"),
    _one_way("e^a e^b = e^(a + b)", "(Mul (Exp a) (Exp b))", "(Exp (Add a b))"),
    _one_way("e^a / e^b = e^(a - b)", "(Div (Exp a) (Exp b))", "(Exp (Add a (Neg b)))"),
    _one_way("(e^a)^b = e^(a b)", "(Pow (Exp a) b)", "(Exp (Mul b a))"),
    _one_way("log(a b) = log a + log b", "(Log (Mul a b))", "(Add (Log a) (Log b))", "a, b > 0",
             "(positive a) (positive b)"),
    _both_ways("log(a / b) = log a - log b", "(Log (Div a b))", "(Add (Log a) (Neg (Log b)))", "a, b > 0",
               "(positive a) (positive b)"),
    _one_way("log(1 / b) = -log b", "(Log (Div _1 b))", "(Neg (Log b))", "b > 0", "(positive b)"),
    _one_way("log a^b = b log a", "(Log (Pow a b))", "(Mul b (Log a))", "a > 0", "(positive a)"),
    _one_way("log sqrt(a) = (log a) / 2", "(Log (Sqrt a))", "(Mul _half (Log a))", "a > 0"),
    _one_way("log(e^a + e^b) = logaddexp(a, b)", "(Log (Add (Exp a) (Exp b)))", "(Logaddexp a b)"),
    _one_way("logaddexp(a, b) = b + softplus(a - b)", "(Logaddexp a b)", "(Add b (Softplus (Add a (Neg b))))"),
    _one_way("log1p(-e^a) = log1mexp(-a)", "(Log1p (Neg (Exp a)))", "(Log1mexp (Neg a))", "a < 0"),
    _one_way("log(-expm1(a)) = log1mexp(-a)", "(Log (Neg (Expm1 a)))", "(Log1mexp (Neg a))", "a < 0"),
    _one_way("(e^a - e^-a) / (e^a + e^-a) = tanh(a)",
             "(Div (Add (Exp a) (Neg (Exp (Neg a)))) (Add (Exp a) (Exp (Neg a))))", "(Tanh a)"),
    _one_way("expm1(2 a) / (1 + e^(2 a)) = tanh(a)", "(Div (Expm1 (Mul _2 a)) (Add _1 (Exp (Mul _2 a))))", "(Tanh a)"),
    _one_way("2 sigmoid(2 a) - 1 = tanh(a)", "(Add (Mul _2 (Sigmoid (Mul _2 a))) _minus_1)", "(Tanh a)"),
)  # fmt: skip
SIGMOIDS = (
    _one_way("1 / (1 + e^a) = sigmoid(-a)", "(Div _1 (Add _1 (Exp a)))", "(Sigmoid (Neg a))"),
    _one_way("e^a / (1 + e^a) = sigmoid(a)", "(Div (Exp a) (Add _1 (Exp a)))", "(Sigmoid a)"),
    _one_way("e^a / (e^a + e^b) = sigmoid(a - b)", "(Div (Exp a) (Add (Exp a) (Exp b)))",
             "(Sigmoid (Add a (Neg b)))"),
    _one_way("1 - sigmoid(a) = sigmoid(-a)", "(Add _1 (Neg (Sigmoid a)))", "(Sigmoid (Neg a))"),
    _one_way("sigmoid(a) - 1 = -sigmoid(-a)", "(Add (Sigmoid a) _minus_1)", "(Neg (Sigmoid (Neg a)))"),
    _one_way("sigmoid(a) - y = (1 - y) sigmoid(a) - y sigmoid(-a)", "(Add (Sigmoid a) (Neg (Y)))",
             "(Add (Mul (Add _1 (Neg (Y))) (Sigmoid a)) (Neg (Mul (Y) (Sigmoid (Neg a)))))"),
    _one_way("log sigmoid(a) = -softplus(-a)", "(Log (Sigmoid a))", "(Neg (Softplus (Neg a)))"),
    _one_way("log1p(-sigmoid(a)) = -softplus(a)", "(Log1p (Neg (Sigmoid a)))", "(Neg (Softplus a))"),
    _one_way("1 / sigmoid(a) = 1 + e^-a", "(Div _1 (Sigmoid a))", "(Add _1 (Exp (Neg a)))"),
    _one_way("(1 + tanh(a / 2)) / 2 = sigmoid(a)", "(Mul _half (Add _1 (Tanh (Mul _half a))))", "(Sigmoid a)"),
    _one_way("1/2 + tanh(a / 2) / 2 = sigmoid(a)", "(Add _half (Mul _half (Tanh (Mul _half a))))", "(Sigmoid a)"),
    _one_way("a / 2 = a 1/2", "(Div a _2)", "(Mul _half a)"),
)  # fmt: skip
SOFTPLUS = (
    _one_way("log1p(e^a) = softplus(a)", "(Log1p (Exp a))", "(Softplus a)"),
    _one_way("softplus(a) - a = softplus(-a)", "(Add (Softplus a) (Neg a))", "(Softplus (Neg a))"),
    _one_way("softplus(-a) + a = softplus(a)", "(Add (Softplus (Neg a)) a)", "(Softplus a)"),
    _one_way("max(a, 0) + softplus(-|a|) = softplus(a)", "(Add (Max a _0) (Softplus (Neg (Abs a))))", "(Softplus a)"),
    _one_way("max(-a, 0) + a = max(a, 0)", "(Add (Max (Neg a) _0) a)", "(Max a _0)"),
    _one_way("softplus(a) - a y = y softplus(-a) + (1 - y) softplus(a)", "(Add (Softplus a) (Neg (Mul a (Y))))",
             "(Add (Mul (Y) (Softplus (Neg a))) (Mul (Add _1 (Neg (Y))) (Softplus a)))"),
    _one_way("softplus(-a) + (a - a y) = y softplus(-a) + (1 - y) softplus(a)",
             "(Add (Softplus (Neg a)) (Add a (Neg (Mul a (Y)))))",
             "(Add (Mul (Y) (Softplus (Neg a))) (Mul (Add _1 (Neg (Y))) (Softplus a)))"),
    _one_way("e^-softplus(a) = sigmoid(-a)", "(Exp (Neg (Softplus a)))", "(Sigmoid (Neg a))"),
    _one_way("expm1(-softplus(a)) = -sigmoid(a)", "(Expm1 (Neg (Softplus a)))", "(Neg (Sigmoid a))"),
)  # fmt: skip
PROBABILITIES = (
    _one_way("a log b = xlogy(a, b)", "(Mul a (Log b))", "(Xlogy a b)", "b > 0, the limit 0 where a is 0"),
    _one_way("a log1p(b) = xlog1py(a, b)", "(Mul a (Log1p b))", "(Xlog1py a b)", "b > -1, the limit 0 where a is 0"),
    _one_way("xlogy(a, 1 + b) = xlog1py(a, b)", "(Xlogy a (Add _1 b))", "(Xlog1py a b)", "b > -1"),
    _one_way("xlogy(a, b) = a log b", "(Xlogy a b)", "(Mul a (Log b))", "b > 0, the limit where a is 0"),
    _one_way("xlog1py(a, b) = a log1p(b)", "(Xlog1py a b)", "(Mul a (Log1p b))", "b > -1, the limit where a is 0"),
    _one_way("log(p / (1 - p)) = logit(p)", "(Log (Div a (Add _1 (Neg a))))", "(Logit a)", "0 < p < 1"),
    _one_way("log p - log1p(-p) = logit(p)", "(Add (Log a) (Neg (Log1p (Neg a))))", "(Logit a)", "0 < p < 1"),
    _one_way("log(1 / p - 1) = -logit(p)", "(Log (Add (Div _1 a) _minus_1))", "(Neg (Logit a))", "0 < p < 1"),
    _one_way("sigmoid(logit p) = p", "(Sigmoid (Logit a))", "a", "0 < p < 1"),
    _one_way("sigmoid(-logit p) = 1 - p", "(Sigmoid (Neg (Logit a)))", "(Add _1 (Neg a))", "0 < p < 1"),
    _one_way("softplus(logit p) = -log1p(-p)", "(Softplus (Logit a))", "(Neg (Log1p (Neg a)))", "0 < p < 1"),
    _one_way("softplus(-logit p) = -log p", "(Softplus (Neg (Logit a)))", "(Neg (Log a))", "0 < p < 1"),
    _one_way("logit(sigmoid a) = a", "(Logit (Sigmoid a))", "a"),
    _one_way("y log(y / p) + (1 - y) log((1 - y) / (1 - p)) = binary_kl(y, p)",
             "(Add (Mul b (Log (Div b a))) (Mul (Add _1 (Neg b)) (Log (Div (Add _1 (Neg b)) (Add _1 (Neg a))))))",
             "(BinaryKl b a)", "0 <= y <= 1, 0 < p < 1"),
    _one_way("y (log y - log p) + (1 - y) (log1p(-y) - log1p(-p)) = binary_kl(y, p)",
             "(Add (Mul b (Add (Log b) (Neg (Log a)))) (Mul (Add _1 (Neg b)) (Add (Log1p (Neg b)) (Neg (Log1p (Neg a))))))",
             "(BinaryKl b a)", "0 < y < 1, 0 < p < 1"),
)  # fmt: skip
POSITIVE = (
    _follows("e^a > 0", "(= e (Exp a))", "(positive e)"),
    _follows("sigmoid(a) > 0", "(= e (Sigmoid a))", "(positive e)"),
    _follows("softplus(a) > 0", "(= e (Softplus a))", "(positive e)"),
    _follows("constants above 0", "(= e (N a)) (> a $zero)", "(positive e)"),
    _follows("a, b > 0: a + b > 0", "(= e (Add a b)) (positive a) (positive b)", "(positive e)"),
    _follows("a, b > 0: a b > 0", "(= e (Mul a b)) (positive a) (positive b)", "(positive e)"),
    _follows("a, b > 0: a / b > 0", "(= e (Div a b)) (positive a) (positive b)", "(positive e)"),
    _follows("a > 0: a^b > 0", "(= e (Pow a b)) (positive a)", "(positive e)"),
)
# Inside (0, 1), where probabilities and targets lie; at the ends the limits hold.
UNIT = (
    _follows("{v} > 0", "(= e ({v}))", "(positive e)"),
    _follows("1 - {v} > 0", "(= e (Add _1 (Neg ({v}))))", "(positive e)"),
)
RULES = (
    *ALGEBRA,
    *(replace(rule, expands=True) for rule in REGROUPING),
    *EXPONENTIALS,
    *SIGMOIDS,
    *SOFTPLUS,
    *PROBABILITIES,
    *POSITIVE,
)


def rules_of(probability: bool, target: bool, more: tuple[Rule, ...] = ()) -> tuple[Rule, ...]:
    """Return the rules for inputs and targets that lie in (0, 1), or do not, and others of the caller's."""
    letters = [letter for letter, inside in (("X", probability), ("Y", target)) if inside]
    unit = [Rule(r.says.replace("{v}", v), r.domain, r.told.replace("{v}", v)) for v in letters for r in UNIT]
    return (*RULES, *unit, *more)


def program(rules: tuple[Rule, ...]) -> str:
    """Return the language and the rules as a program of egglog's."""
    constants = [f"(let ${name[1:]}_ (N (bigrat (bigint {v.split()[0]}) (bigint {v.split()[1]}))))"
                 for name, v in CONSTANTS.items()]  # fmt: skip
    told = "\n".join([LANGUAGE, *constants, *(_in_its_set(rule) for rule in rules)])
    for name in sorted(CONSTANTS, key=len, reverse=True):
        told = told.replace(f"{name} ", f"${name[1:]}_ ").replace(f"{name})", f"${name[1:]}_)")
    return told


def _in_its_set(rule: Rule) -> str:
    """Return a rule as egglog is told it, each of its lines in the rule set that it is applied with."""
    name = "regrouping" if rule.expands else "identities"
    return "\n".join(f"{line[:-1]} :ruleset {name})" for line in rule.told.splitlines())
