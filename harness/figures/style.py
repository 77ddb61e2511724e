"""How every figure looks, what its legends say, and how it is written: same bytes for the same data.

Curves, outcomes and classes of error look the same in all figures, and their legend entries are made here.  Colours are
Okabe and Ito's, the first lighter, which the colour-blind tell apart; width, dashes, hatches, markers and lightness say
the same again for grey print.  Curves are drawn from wide to narrow, so that none hides another.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

from harness import __version__
from harness.figures.layout import line
from harness.numbers.formats import Format
from harness.workflow import files

Array = np.ndarray

DPI = 150
FORMS = ("png", "svg", "pdf")
CREATOR = f"xent-harness {__version__}"
MARKS = 34  # most outcome marks along one panel
RC = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "legend.fontsize": 8.0,
    "hatch.linewidth": 0.6,
    "pdf.fonttype": 42,  # text stays text
    "svg.fonttype": "none",
    "svg.hashsalt": "harness",
}

# One per curve of a panel, wide and light first: colour, width in points, dashes.
LINES = (
    ("#7CC5F0", 3.8, "solid"),
    ("#D55E00", 2.3, "solid"),
    ("#000000", 1.5, (0, (3, 1.6))),
    ("#E69F00", 1.4, (0, (1.1, 1.1))),
    ("#0072B2", 0.9, "solid"),
    ("#009E73", 0.9, (0, (5, 4, 1, 4))),  # gaps that the thin line before it shows through
    ("#CC79A7", 0.9, (0, (1, 1))),
)
# Outcome: name in a legend, marker, face and hatch colours, hatch.
OUTCOME_LOOK = {
    "spurious_nan": ("NaN", "x", "#000000", "#FFFFFF", "xxxxx"),
    "spurious_inf": ("infinite", "^", "#FFFFFF", "#000000", "/////"),
    "spurious_zero": ("zero", "o", "#56B4E9", "#000000", "+++++"),
    "wrong_sign": ("wrong sign", "s", "#CC79A7", "#000000", "-----"),
    "capped": ("finite at a pole", "d", "#FFFFFF", "#000000", "|||||"),
}
# The classes of truth/classes.py: label, and colour from light to dark.
CLASSES = (
    ("within 4 ulp", "#DCEFD6"),
    ("up to ¼ of the bits lost", "#F4C13D"),
    ("¼ to ½", "#F0932B"),
    ("½ to ¾", "#D9541E"),
    ("over ¾", "#A31D22"),
    ("no bit right", "#3F0610"),
)
BLANK = len(CLASSES)  # in a map of classes: nothing there
WHITE = "#FFFFFF"
DARK = 4  # the first class with white writing
TRUTH = "#BBBBBB"
NO_BIT_RIGHT: dict[str, Any] = {"color": "#444444", "lw": 0.7, "ls": (0, (5, 2))}  # a line at 2^(p-1) ulp
USUAL: dict[str, Any] = {"color": "#FFF3CF", "lw": 0}  # the band of usual inputs
ENVELOPE_AREA: dict[str, Any] = {"color": "#DADADA", "lw": 0}  # errors that are the problem's, not the kernel's
ENVELOPE: dict[str, Any] = {"color": "#888888", "lw": 0.7, "ls": "solid"}
SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def power_label(exponent: int) -> str:
    """Write 10^exponent as 1, 10 or 10 with a raised exponent."""
    return {0: "1", 1: "10"}.get(exponent, "10" + str(exponent).translate(SUPERSCRIPT))


def format_title(fmt: Format, exhaustive: bool) -> str:
    """Return a panel's heading: the format, its p, and whether every input was seen."""
    return f"{fmt.name} (p = {fmt.precision}), {'every input' if exhaustive else 'sample'}"


def line_handle(i: int, label: str) -> Line2D:
    """Return the legend entry of the i-th curve of a panel."""
    colour, width, dashes = LINES[i]
    return Line2D([], [], color=colour, lw=width, ls=dashes, label=label)


def no_bit_handle(more: str = "") -> Line2D:
    """Return the legend entry of the line from which on no bit of a result is right, followed by `more`."""
    return Line2D([], [], **NO_BIT_RIGHT, label=f"no bit right: 2^(p−1) ulp{more}")


def envelope_handle() -> Patch:
    """Return the legend entry of the area under the condition envelope."""
    return Patch(
        facecolor=ENVELOPE_AREA["color"], edgecolor=ENVELOPE["color"], lw=0.7, label="the problem's own: ≈ max(½, κ/2)"
    )


def usual_handle(text: str) -> Patch:
    """Return the legend entry of the band of usual inputs, given as the condition that they meet."""
    readable = text.replace("<=", "≤").replace("sigmoid", "σ").replace("-", "−")
    return Patch(facecolor=USUAL["color"], edgecolor="#BBBBBB", lw=0.4, label=f"usual: {readable}")


def outcome_label(name: str) -> str:
    """Return an outcome's name in a legend, such as `spurious NaN`."""
    label = OUTCOME_LOOK[name][0]
    return f"spurious {label}" if name.startswith("spurious") else label


def outcome_handles(names: Sequence[str]) -> list[Line2D]:
    """Return the legend entries of outcomes that are drawn as markers."""
    look: dict[str, Any] = {"ls": "none", "ms": 4, "mfc": "none", "mec": "#000000"}
    return [Line2D([], [], marker=OUTCOME_LOOK[n][1], label=outcome_label(n), **look) for n in names]


def outcome_patches() -> list[Patch]:
    """Return the legend entries of all outcomes, drawn as hatched areas."""
    return [
        Patch(facecolor=face, edgecolor=ink, hatch=hatch, lw=0.4, label=outcome_label(name))
        for name, (_, _, face, ink, hatch) in OUTCOME_LOOK.items()
    ]


def class_handles(edge: str = "#000000") -> list[Patch]:
    """Return the legend entries of the classes of error, their boxes framed in the colour `edge`."""
    return [Patch(facecolor=colour, edgecolor=edge, lw=0.4, label=label) for label, colour in CLASSES]


def class_colours(*further: str) -> ListedColormap:
    """Return the colours of a map of classes: those of the CLASSES, further ones, and white for what is blank."""
    return ListedColormap([to_rgb(colour) for colour in (*(c for _, c in CLASSES), *further, WHITE)])


def ink(index: int) -> str:
    """Return the colour of writing on a class's: white on the dark ones."""
    return "#FFFFFF" if DARK <= index < BLANK else "#000000"


def marks(ax: Axes, outcome: str, at: Array, height: float, colour: str, label: str) -> None:
    """Draw an outcome's markers in a line, at most MARKS along a panel; nothing where it does not occur.

    Those of the outermost inputs stand inside the frame, which would cut them in half.
    """
    lo, hi = sorted(ax.get_xlim())
    at = at[(lo <= at) & (at <= hi)]
    if not at.size:
        return
    inside = 0.4 * (hi - lo) / MARKS
    at = np.clip(at, lo + inside, hi - inside)
    part = ((at - lo) / (hi - lo) * MARKS).astype(int)
    thin = at[np.unique(part, return_index=True)[1]]
    _, marker, *_ = OUTCOME_LOOK[outcome]
    look = {"marker": marker, "ms": 2.7, "mfc": "none", "mec": colour, "mew": 0.7}
    line(ax, thin, np.full(len(thin), height), ls="none", zorder=9, label=label, **look)


def save(figure: Figure, out_dir: Path, name: str, forms: Sequence[str] = FORMS) -> list[Path]:
    """Write a figure as NAME.png, NAME.svg and NAME.pdf, each whole; return the files in the order of `forms`."""
    figure.set_dpi(DPI)  # images within an SVG go by it, too
    svg = _vectors(figure, name) if {"svg", "pdf"} & set(forms) else ""
    return [_write(figure, out_dir / f"{name}.{form}", svg) for form in forms]


def _write(figure: Figure, path: Path, svg: str) -> Path:
    """Write a figure in the form that a file's ending names, one of FORMS, without the date; return the path.

    SVG and PDF keep text as text, and say in their metadata which version of the harness drew them and the figure's
    identifier, see `identifier`.
    """
    with files.replacing(path) as temporary:
        if path.suffix == ".png":
            _pixels(figure).save(temporary, format="png", dpi=(DPI, DPI))
        elif path.suffix == ".svg":
            temporary.write_text(svg, encoding="utf-8", newline="\n")
        else:
            named = {"Title": path.stem, "Creator": CREATOR, "Keywords": identifier(svg)}
            figure.savefig(temporary, format="pdf", metadata={**named, "Producer": None, "CreationDate": None})
    return path


def identifier(svg: str) -> str:
    """Return the identifier of a figure: ten hex digits of a SHA-256 of what it draws, whatever version drew it."""
    return hashlib.sha256(_unmarked(svg).encode()).hexdigest()[:10]


def _unmarked(svg: str) -> str:
    return re.sub(r"<metadata>.*?</metadata>", "", svg, count=1, flags=re.DOTALL)


def _vectors(figure: Figure, name: str) -> str:
    """Return a figure as SVG, with its identifier."""
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Title": name, "Creator": CREATOR, "Identifier": "ID"})
    svg = text.getvalue()
    return svg.replace("<dc:identifier>ID</dc:identifier>", f"<dc:identifier>{identifier(svg)}</dc:identifier>")


def _pixels(figure: Figure) -> Image.Image:
    """Return a figure as an image of 256 colours: enough for lines and flat areas, in a third of the space."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    palette = pixels.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette.putpalette([255 if v >= 253 else v for v in palette.getpalette() or []])  # white stays white
    return palette


def context() -> AbstractContextManager[None]:
    """Return the context in which all figures are drawn, from the library's defaults and RC alone."""
    settings: dict[Any, Any] = {**matplotlib.rcParamsDefault, **RC, "backend": "agg"}
    return matplotlib.rc_context(settings)
