r"""A table in LaTeX that drops into a paper: booktabs, numbers in siunitx columns, no wider than what it must fit.

Every environment is a plain `tabular` in a float, so that it compiles in classes of one and of two columns.  A table
that is too wide loses columns, in a stated order (DROPPED, then the last column first; the identifier stays), and names
them in a comment; a long one comes in parts of a page each.  Widths are estimated from Computer Modern's, and
the tests compile every table to see that no box is overfull.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

LATEX = {
    "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "^": r"\^{}", "{": r"\{", "}": r"\}", "~": r"$\sim$",
    "≥": r"$\ge$", "≤": r"$\le$", "<": "$<$", ">": "$>$", "−": "$-$", "±": r"$\pm$", "×": r"$\times$",
    "·": r"$\cdot$", "σ": r"$\sigma$", "γ": r"$\gamma$", "κ": r"$\kappa$", "α": r"$\alpha$", "ε": r"$\epsilon$",
    "∞": r"$\infty$", "√": r"$\surd$", "→": r"$\to$", "←": r"$\leftarrow$", "⌈": r"$\lceil$", "⌉": r"$\rceil$",
    "⌊": r"$\lfloor$", "⌋": r"$\rfloor$", "₂": "$_2$", "⁻": "$^-$", "⊆": r"$\subseteq$", "⊇": r"$\supseteq$", "≈": r"$\approx$",
    "≠": r"$\ne$", "…": r"\dots{}", "–": "--", "½": r"$\frac12$", "|": r"$|$", '"': r"\textquotedbl{}",
}  # fmt: skip
CM = {"column": 8.5, "page": 17.8}  # a column of two, and both
POINTS = 28.45  # of TeX, a centimetre
SIZES = (("footnotesize", 8.0), ("scriptsize", 7.0))  # the largest first
SEPARATION = 3.0  # points, on each side of a column
DROPPED = ("what fails", "correctly rounded", "mean (ulp)", "spurious", "at input", "safe range")
CONSTANTS = ("library", "mode", "problem", "kernel", "format", "target")
KEPT = ("id", "kernel", "system", "max error (ulp)")
LONG = 24  # characters: a column with a longer cell wraps
NARROWEST = 12  # characters of a column that wraps
LINES = 44  # of text in a part
NUMBER = re.compile(r"(?P<sign>[≥≤<>~≈] ?)?(?P<minus>[-−]?)(?P<whole>\d+)(\.(?P<part>\d+))?(e(?P<exp>[+-]?\d+))?")
# In a text: a number with an exponent, or a negative one.  Not a part of a name, of a version, or of an identifier.
IN_TEXT = re.compile(
    r"(?<![\w.,^*/-])((?P<minus>-)?(?P<digits>\d(?:\.\d+)?)e\+?(?P<exp>-?\d{1,4})|-\d+(?:\.\d+)?)(?!\.?\w)"
)
COMPARED = {"≥": r"\ge ", "≤": r"\le ", "<": "<", ">": ">", "~": r"\sim ", "≈": r"\approx "}
PACKAGES = (
    r"% needs: \usepackage{array,booktabs,graphicx,siunitx,textcomp}  (siunitx 3; T1 fonts: \usepackage[T1]{fontenc})"
)


def to_latex(shown: pd.DataFrame, caption: str, label: str, width: str = "page") -> str:
    """Write a frame of text as LaTeX tables of at most a width of CM; `caption` says what was measured.

    What is the same in every row goes into the caption.  Where the text is narrower than the width, the table shrinks.
    """
    told, shown = _without_constants(shown)
    caption = ", ".join([caption.rstrip("."), *(text for name, text in told if not _says(caption, name, text))])
    columns, size, lost = fitted([column(str(name), shown[name]) for name in shown.columns], CM[width])
    frame = shown[[c.heading for c in columns]]
    _share(columns, CM[width] * POINTS / size)
    parts = _parts(frame, columns)
    dropped = f"% left out to fit {CM[width]} cm: {', '.join(lost)}\n" if lost else ""
    star = "" if width == "column" else "*"
    texts = [
        _part(frame.iloc[rows], columns, _caption(caption, i, len(parts)), f"tab:{label}" + (f":{i}" if i > 1 else ""), size, star)
        for i, rows in enumerate(parts, 1)
    ]  # fmt: skip
    return f"{PACKAGES}\n{dropped}" + "\\clearpage\n".join(texts)


def _without_constants(shown: pd.DataFrame) -> tuple[list[tuple[str, str]], pd.DataFrame]:
    """Return what CONSTANTS say where it is the same in every row, by column, and the frame without them."""
    alike = [c for c in CONSTANTS if c in shown.columns and len(shown) > 1 and shown[c].nunique() == 1]
    told = [(c, f"{c} {shown[c].iloc[0]}") for c in alike if shown[c].iloc[0]]
    return told, shown.drop(columns=alike)


def _says(caption: str, name: str, text: str) -> bool:
    """Tell whether a caption names a problem or a format already."""
    value = text.removeprefix(f"{name} ").replace("_", " ")
    return name in ("problem", "format") and re.search(rf"\b{re.escape(value)}\b", caption) is not None


@dataclass
class TypesetColumn:
    """Describe one column: its heading, LaTeX's letter for it, and its width in em."""

    heading: str
    spec: str
    em: float
    numeric: bool = False
    wraps: bool = False


def fitted(columns: Sequence[TypesetColumn], cm: float) -> tuple[list[TypesetColumn], float, list[str]]:
    """Return the columns that fit a width, the size of the type in points, and the headings of those left out."""
    kept = list(columns)
    lost: list[str] = []
    while True:
        for _, size in SIZES:
            if (
                sum((NARROWEST / 2 if c.wraps else c.em) * size for c in kept) + 2 * SEPARATION * (len(kept) - 1)
                <= cm * POINTS
            ):
                return kept, size, lost
        there = [c for name in DROPPED for c in kept if c.heading == name]
        there += [c for c in reversed(kept) if c.heading not in KEPT]
        if len(kept) < 2 or not there:
            return kept, SIZES[-1][1], lost
        lost.append(there[0].heading)
        kept.remove(there[0])


def column(name: str, values: Iterable[object]) -> TypesetColumn:
    """Return how a column is set: numbers in an S column, short text as it is, long text wrapped."""
    cells = list(dict.fromkeys(map(str, values)))
    found = [NUMBER.fullmatch(cell) for cell in cells if cell not in ("", "–", "inf", "nan")]
    if found and all(found):
        spec, em = _number_format([m for m in found if m])
        return TypesetColumn(name, spec, max(em, _heading_em(name, em)), numeric=True)
    longest = max((em_of(cell) for cell in cells), default=0.0)
    if max(map(len, cells), default=0) > LONG:
        return TypesetColumn(name, "p", longest, wraps=True)
    return TypesetColumn(name, "l", max(longest, _heading_em(name, longest)))


def _number_format(found: Sequence[re.Match[str]]) -> tuple[str, float]:
    """Return siunitx's column for numbers and its width in em: digits before and after the point, exponent, sign."""
    whole, part = (max(len(m[group] or "") for m in found) for group in ("whole", "part"))
    exponents = [m["exp"] for m in found if m["exp"]]
    digits = max((len(str(abs(int(e)))) for e in exponents), default=0)
    sign, minus = any(m["sign"] for m in found), any(m["minus"] for m in found)
    less = any(int(e) < 0 for e in exponents)
    spec = f"{'>' if sign else ''}{'-' if minus else ''}{whole}.{part}" + (
        f"e{'-' if less else ''}{digits}" if digits else ""
    )
    em = 0.5 * (whole + part) + 0.3 + (2.3 + 0.4 * digits + 0.6 * less if digits else 0) + 1.1 * sign + 0.8 * minus
    return f"S[table-format={spec}]", em


def em_of(text: str) -> float:
    """Estimate the width of a text in em, by Computer Modern's letters."""
    return sum(
        0.3
        if c in "il.,:;'!|jft()[]/- "
        else 0.85
        if c in "mwMW≥≤⊆~→←×=+−%"
        else 0.76
        if c.isupper() or c == "_"
        else 0.53
        for c in text
    )


def _stacked(name: str, em: float) -> list[str]:
    """Return a heading in lines about as wide as its column."""
    return textwrap.wrap(name.replace("_", "_ "), max(8, int(em / 0.55)), break_long_words=False) or [""]


def _heading_em(name: str, em: float) -> float:
    return max(em_of(line.replace("_ ", "_")) for line in _stacked(name, em))


def _share(columns: Sequence[TypesetColumn], ems: float) -> None:
    """Give wrapping columns what is left of the width, in shares of what they would take, and no less than the narrowest."""
    wrapping = [c for c in columns if c.wraps]
    if not wrapping:
        return
    left = ems - sum(c.em for c in columns if not c.wraps) - 2 * SEPARATION / SIZES[-1][1] * (len(columns) - 1) - 0.5
    wanted = sum(min(c.em, ems) for c in wrapping)
    for c in wrapping:
        c.em = max(NARROWEST * 0.5, left * min(c.em, ems) / wanted)
    spare = left - sum(c.em for c in wrapping)
    if spare < 0:
        widest = max(wrapping, key=lambda c: c.em)
        widest.em += spare
    for c in wrapping:
        c.spec = rf">{{\raggedright\arraybackslash}}p{{{c.em:.1f}em}}"


def _parts(frame: pd.DataFrame, columns: Sequence[TypesetColumn]) -> list[list[int]]:
    """Return the numbers of the rows of each part: as many as fill LINES lines."""
    parts: list[list[int]] = [[]]
    filled = 0.0
    for i, row in enumerate(frame.itertuples(index=False)):
        lines = max([1.0, *(1 + em_of(str(v)) // (0.9 * c.em) for v, c in zip(row, columns) if c.wraps)])
        if parts[-1] and filled + lines > LINES:
            parts.append([])
            filled = 0.0
        parts[-1].append(i)
        filled += lines
    return parts


def _caption(caption: str, part: int, parts: int) -> str:
    text = caption.rstrip(".")
    return f"{text}." if parts == 1 else f"{text} (part {part} of {parts})."


def _part(
    frame: pd.DataFrame, columns: Sequence[TypesetColumn], caption: str, label: str, size: float, star: str
) -> str:
    name = next(name for name, points in SIZES if points == size)
    specs = "".join(c.spec for c in columns)
    heads = " & ".join(_heading(c) for c in columns)
    lines = [" & ".join(_cell(str(v), c) for v, c in zip(row, columns)) for row in frame.itertuples(index=False)]
    return "\n".join(
        [
            rf"\begin{{table{star}}}[tbp]",
            rf"\centering\{name}\setlength{{\tabcolsep}}{{{SEPARATION:g}pt}}",
            rf"\caption{{{escaped(caption)}}}\label{{{label}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{@{{}}{specs}@{{}}}}",
            r"\toprule",
            rf"{heads} \\",
            r"\midrule",
            *[rf"{line} \\" for line in lines],
            r"\bottomrule",
            r"\end{tabular}}",
            rf"\end{{table{star}}}",
            "",
        ]
    )


def _heading(c: TypesetColumn) -> str:
    lines = [escaped(line.replace("_ ", "_")) for line in _stacked(c.heading, c.em)]
    return f"{{{lines[0]}}}" if len(lines) == 1 else "{\\shortstack{" + r" \\ ".join(lines) + "}}"


def _cell(text: str, c: TypesetColumn) -> str:
    """Write a cell: a number as siunitx reads it, a comparison before it; other text with its signs escaped."""
    if not c.numeric:
        return _breakable(text, c.em) if c.wraps else _with_numbers(text, escaped)
    found = NUMBER.fullmatch(text)
    if not found:
        return f"{{{escaped(text)}}}" if text else "{}"
    number = re.sub(r"e\+?(-?)0*(?=\d)", r"e\1", text[len(found["sign"] or "") :].replace("−", "-"))
    return COMPARED.get((found["sign"] or "").strip(), "") + number


def escaped(text: str) -> str:
    """Write text so that LaTeX prints it as it is; a sign that its fonts may lack is written in words of its own."""
    return "".join(LATEX.get(c, r"\textbackslash{}" if c == "\\" else c) for c in text)


def _with_numbers(text: str, write: Callable[[str], str]) -> str:
    """Write a text with its powers of ten and minus signs in mathematics, and what stands between by a function."""
    written, end = [], 0
    for m in IN_TEXT.finditer(text):
        written += [write(text[end : m.start()]), _in_mathematics(m)]
        end = m.end()
    return "".join([*written, write(text[end:])])


def _in_mathematics(number: re.Match[str]) -> str:
    if number["exp"] is None:
        return f"$-${number[0][1:]}"
    factor = "" if number["digits"] == "1" else rf"{number['digits']}{{\times}}\allowbreak "
    return f"${number['minus'] or ''}{factor}10^{{{int(number['exp'])}}}$"


def _breakable(text: str, em: float) -> str:
    """Write long text with places to break its long words: after signs, and inside a piece that is wider than the column."""
    return " ".join(_with_numbers(word, lambda part: _parted(part, em)) for word in text.split(" "))


def _parted(word: str, em: float) -> str:
    """Return a word, or what stands between the numbers in it, with the places where it may be broken."""
    pieces = re.findall(r"[^_/.,:=()\[\]-]*[_/.,:=()\[\]-]?", word) if len(word) > 8 else [word]
    before_number = [""] if word.endswith("(") else []
    parts = [escaped(part) for piece in pieces if piece for part in _halved(piece, em)]
    return r"\allowbreak{}".join(parts + before_number)


def _halved(piece: str, em: float) -> list[str]:
    """Return a piece of a word in halves as wide as a column, before a capital letter where there is one."""
    if em_of(piece) < 0.95 * em or len(piece) < 4:
        return [piece]
    middle = len(piece) // 2
    capitals = [i for i in range(2, len(piece) - 1) if piece[i].isupper() and piece[i - 1].islower()]
    at = min(capitals, key=lambda i: abs(i - middle), default=middle)
    return [*_halved(piece[:at], em), *_halved(piece[at:], em)]
