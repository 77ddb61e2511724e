"""The page of `make report`: what it says is what the tables say, and it works in a real browser.

The browser is the system's Chromium, driven by Playwright; where there is none, those tests are skipped.  Each rule that
the page must keep (no error, labels for all, exact values) has a planted fault that the same check catches.
"""

from __future__ import annotations

import base64
import csv
import gzip
import json
import random
import re
import shutil
from pathlib import Path

import mpmath
import numpy as np
import pytest
from mpmath import mp

from harness import UsageError
from harness.kernels import kernel_named
from harness.numbers.formats import format_named
from harness.problems import problem_named
from harness.report import calls, formulas, packing, texts, wording
from harness.report.curves import truth_at
from harness.report.job import report_job
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.job import sweep_job
from harness.systems.pages import probes
from harness.tables import citation
from harness.tables.atlas.verdicts import SAFE, VERDICTS
from harness.tables.strongest import Known
from harness.truth.certified import decimal, truth
from harness.workflow import experiments

ROOT = Path(__file__).parent.parent
TABLES = ROOT / "results" / "tables"
SHOTS = ROOT / "build" / "report-screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VIEWS = {  # and what of each is looked at: tables with a few rows, which are made as those with many
    "choose": "", "curves": "", "atlas": "?q=softplus_pair", "systems": "?library=optax", "findings": "", "questions": "",
    "claims": "?q=keras", "rows": "?table=worst_joint&q=softplus_pair", "cite": "",
}  # fmt: skip
COLOURED = ("choose", "curves", "findings")  # views that are looked at for accessibility in dark colours too
PATIENCE = 60_000  # ms: machines may be busy
LIMIT = 10_000_000  # bytes

SMALL = """
question: How wrong are two ways of computing binary cross-entropy from a logit?
problems: [bce_logits]
kernels: [sigmoid_clip_1e-7, lse_log1p]
formats: [float16, float32, float64]
targets: [0, 1]
grid: quick
main: true
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of the committed tables, with curves of a small sweep; the experiments need the schema beside them."""
    folder = tmp_path_factory.mktemp("report")
    shutil.copy(ROOT / "experiments" / "schema.yaml", folder)
    (folder / "small.yaml").write_text(SMALL)
    small = experiments.load(folder / "small.yaml")
    (folder / "results").mkdir()
    (folder / "results" / "tables").symlink_to(TABLES)
    for fmt in small.formats:
        sweep_job(small, fmt, 0, "quick", folder / "results" / "summaries" / f"small.{fmt.name}.0.npz")
    report_job([small], folder / "results", ROOT / "docs", folder / "page")
    return folder / "page"


def held(page, name):
    """What a file of data holds."""
    text = (page / "data" / f"{name}.js").read_text(encoding="utf-8")
    given, packed = re.fullmatch(r'report\.receive\("([^"]+)", "([^"]+)"\);\n', text).groups()
    assert given == name
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def rows_of(name):
    with (TABLES / f"{name}.csv").open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


# -- the facts ------------------------------------------------------------------------------------


def test_cards_say_what_the_atlas_says(page):
    cards = {c["key"]: c for c in held(page, "core")["cards"] if c["kind"] == "formula"}
    rows = rows_of("atlas")
    said = [
        (c["problem"], c["name"], f, s["verdict"], s["instead"])
        for c in cards.values()
        for f, s in c["formats"].items()
    ]
    assert sorted(said) == sorted(
        (r["problem"], r["kernel"], r["format"], r["verdict"], r["use_instead"]) for r in rows
    )
    planted = [{**r, "verdict": SAFE} for r in rows]
    assert sorted(said) != sorted(
        (r["problem"], r["kernel"], r["format"], r["verdict"], r["use_instead"]) for r in planted
    )


def test_what_fails_first_is_beside_the_safe_range_and_measured():
    known, fmt = Known.of([TABLES / "exhaustive_logits.csv"]), format_named("float32")
    found = formulas.first_failures(known, problem_named("bce_logits"), "lse_log", fmt, "loss")
    row = next(r for r in rows_of("exhaustive_logits") if (r["kernel"], r["target"]) == ("lse_log", found[0]["target"]))
    at = fmt.parse(found[0]["input"]["hex"])
    beside = [fmt.ordinal(np.array([fmt.parse(row[end])]))[0] for end in ("safe_lo", "safe_hi")]
    assert fmt.ordinal(np.array([at]))[0] in (beside[0] - 1, beside[1] + 1)
    case = _case("bce_logits", "lse_log", "float32", found[0]["target"])
    assert case.bad(fmt.ordinal(np.array([at])), 4.0)[0]
    assert not case.bad(np.array([beside[0], beside[1]]), 4.0).any()


def test_the_usual_range_has_no_larger_error_than_all_inputs(page):
    for card in held(page, "core")["cards"]:
        for facts in card["formats"].values():
            if facts.get("usual") and facts["usual"][0]["error"].endswith("no bit right"):
                assert facts["largest"][0]["error"].endswith("no bit right"), card["key"]


@pytest.mark.parametrize(
    ("ulp", "basis", "text"),
    [
        ("2.89123", "every_input", "2.89 ulp"),
        ("2.89123", "sample", "≥ 2.89 ulp"),
        ("2.89123", "search", "≥ 2.89 ulp"),
        ("16777216", "every_input", "no bit right"),
        ("8.51e+37", "sample", "no bit right"),
        ("1.5e+4000", "sample", "no bit right"),
        ("", "", ""),
    ],
)
def test_errors_are_written_with_their_basis_and_without_long_exponents(ulp, basis, text):
    assert wording.error(ulp, format_named("float32"), basis) == text


def test_a_calls_verdict_follows_the_rules_of_the_atlas():
    rows, returned = calls.read(TABLES / "systems.csv")
    by_id = {one.row["id"]: one for one in returned}
    found = set()
    for fmt in ("float16", "float32"):
        mine = [r for r in rows if r["system"] == "torch.sigmoid" and r["format"] == fmt and r["max_ulp"] != ""]
        there = [by_id[r["id"]] for r in mine if r["id"] in by_id]
        verdict, half = calls.verdict_of(mine, there)
        assert half == ""
        found.add(verdict)
        if verdict == SAFE:  # one row that leaves the safe range, and one probe that is far off, make it worse
            narrow = [{**mine[0], "safe_lo": "0x0p+0"}, *mine[1:]]
            assert VERDICTS.index(calls.verdict_of(narrow, there)[0]) > 0
            assert calls.verdict_of(narrow, [_off(there[0]), *there[1:]])[0] == "unsafe"
    assert found <= set(VERDICTS)


def _off(returned):
    return probes.Returned(returned.row, returned.x, returned.value + 0.5, returned.exact, returned.rounded)


def _case(problem, kernel, fmt, target):
    f = format_named(fmt)
    y = f.parse(target) if target else None
    return Case(
        problem_named(problem), kernel, kernel_named(problem, kernel), Grid("standard", problem_named(problem), f), y
    )


@pytest.mark.parametrize(("problem", "name", "target"), [("bce_logits", "float64", 0.0), ("bce", "float32", 1.0), ("sigmoid", "float16", None)])  # fmt: skip
def test_exact_values_and_envelopes_of_curves(problem, name, target):
    fmt = format_named(name)
    values = [0.25, 0.5, 0.9375] if problem == "bce" else [-17.25, 0.5, 3.0]
    x = np.array(values).astype(fmt.dtype)
    high, rest, envelope = truth_at(problem_named(problem), fmt, x, None if target is None else fmt.parse(str(target)))
    for i, v in enumerate(values):
        point = (mp.mpf(v),) if target is None else (mp.mpf(v), mp.mpf(target))
        exact = truth(problem_named(problem), point, 200)
        with mp.workprec(300):
            assert abs(mp.mpf(high[i]) + mp.mpf(rest[i]) - exact) <= abs(exact) * mp.mpf(2) ** -100
    if problem == "bce_logits":  # κ = |x σ(x) / softplus(x)|
        kappa = abs(x * (1 / (1 + np.exp(-x))) / np.log1p(np.exp(x)))
        assert envelope == pytest.approx(np.maximum(0.5, kappa / 2), rel=1e-6)


def test_packed_numbers_come_back():
    values = np.array([0.0, 1.5, -2.25e-40, np.inf, np.nan])
    for single, kind in ((False, "<f8"), (True, "<f4")):
        planes = np.frombuffer(base64.b64decode(packing.numbers(values, single)), np.uint8).reshape(-1, len(values))
        back = np.ascontiguousarray(planes.T).view(kind).ravel()
        assert np.array_equal(back, values.astype(kind), equal_nan=True)
    planes = np.frombuffer(base64.b64decode(packing.scaled(np.array([0.5, 3.0, np.nan, -1.0, 1e300]))), np.uint8)
    codes = np.ascontiguousarray(planes.reshape(2, -1).T).view("<u2").ravel()
    assert 2.0 ** ((codes[:2] - 1.0) / 256 - 64) == pytest.approx([0.5, 3.0], rel=0.003)
    assert list(codes[2:]) == [0, 0, 65535]
    assert packing.script("a", {"b": 1}) == packing.script("a", {"b": 1}) != packing.script("a", {"b": 2})


def test_a_question_is_divided_into_answer_and_method_without_figures():
    text = "# Why?\n\n- So.\n\nGenerated from the tables; do not edit.\n\nOn this page: [M](#m)\n\n## Method\n\nThus.\n\n## Figures\n\n![a](b.png)\n\n## Tables\n\n| a |\n| --- |\n| [c](../x.csv) |\n"
    title, answer, rest = texts.divided(text)
    assert (title, answer.strip()) == ("Why?", "- So.")
    assert "Figures" not in rest and "On this page" not in rest and rest.startswith("## Method")
    html = texts.html(rest, "../../docs/questions", "why")
    assert 'href="../../docs/x.csv"' in html and 'aria-label="Table 1 of why"' in html and "<h3>" in html
    assert "<script" not in texts.html("<script>alert(1)</script>", "..", "x")


def test_without_an_atlas_nothing_is_written(tmp_path):
    with pytest.raises(UsageError, match="is not there; the report needs it"):
        report_job([], tmp_path, ROOT / "docs", tmp_path / "page")
    assert not (tmp_path / "page").exists()


# -- the folder -----------------------------------------------------------------------------------


def test_the_folder_is_small_and_whole(page):
    files = [p for p in page.rglob("*") if p.is_file()]
    size = sum(p.stat().st_size for p in files)
    print(f"\nThe page: {size / 1e6:.2f} MB in {len(files)} files")
    assert size < LIMIT
    index = (page / "index.html").read_text(encoding="utf-8")
    named = re.findall(r'(?:src|href)="([^"#]+)"', index)
    assert all((page / name).exists() for name in named if not name.startswith("data:"))
    own = [p for p in files if p.name != "plotly.min.js" and p.parent == page]
    assert not any(re.search(r"(?:src=|href=|url\(|import )[\"']?https?:", p.read_text("utf-8")) for p in own)
    assert all((page / "data" / f"{name}.js").exists() for name in held(page, "core")["data"])


def test_curves_are_there_for_what_was_swept_and_for_nothing_else(page):
    swept = [name for name in held(page, "core")["data"] if name.startswith("curves.")]
    assert swept == [f"curves.bce_logits.{f}" for f in ("float16", "float32", "float64")]
    assert set(held(page, "curves.bce_logits.float32")["index"]) == {"sigmoid_clip_1e-7", "lse_log1p"}


# -- the browser ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: pip install -e '.[test]'"
    )
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no Chromium on this machine; looked for {', '.join(BROWSERS)}")
    with playwright.sync_playwright() as p:
        started = p.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


class Opened:
    """A tab of the browser: the page, and every error that it reported."""

    def __init__(self, browser, page, width=1280, height=900, scheme="light"):
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(PATIENCE)
        self.address = (page / "index.html").as_uri()
        self.errors, self.clicks = [], 0
        self.tab.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.tab.on("pageerror", lambda e: self.errors.append(str(e)))

    def open(self, view=""):
        self.tab.goto(self.address + view)
        return self.wait()

    def wait(self):
        self.tab.wait_for_selector("main:not([aria-busy])")
        return self.tab

    def click(self, selector):
        """Click as a reader does, and count it."""
        self.clicks += 1
        self.tab.locator(selector).first.click()
        return self.wait()

    def choose(self, selector, label):
        """Choose from a list, which counts as one click."""
        self.clicks += 1
        self.tab.select_option(selector, label=label)
        return self.wait()

    @property
    def text(self):
        return self.tab.inner_text("main")


@pytest.fixture
def opened(browser, page):
    tabs = []

    def make(**kind):
        tabs.append(Opened(browser, page, **kind))
        return tabs[-1]

    yield make
    for tab in tabs:
        tab.context.close()


def axe(tab):
    from axe_playwright_python.sync_playwright import Axe

    # Without the preload, which asks for the style sheet in a way that files are not given.
    return Axe().run(tab, options={"preload": False}).response["violations"]


@pytest.mark.parametrize(("width", "height", "scheme"), [(1280, 900, "light"), (390, 844, "dark")])
def test_every_view_opens_without_error_and_is_accessible(opened, width, height, scheme):
    seen = opened(width=width, height=height, scheme=scheme)
    SHOTS.mkdir(parents=True, exist_ok=True)
    for view in VIEWS:
        tab = seen.open(f"#{view}{VIEWS[view]}")
        assert len(seen.text) > 200, view
        assert "[object" not in seen.text and "undefined" not in seen.text, view
        assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, view
        tab.screenshot(path=SHOTS / f"{view}-{width}-{scheme}.png")
        if width > 1000 or view in COLOURED:
            assert [(v["id"], v["nodes"][0]["target"]) for v in axe(tab)] == [], view
    assert seen.errors == []


def test_planted_faults_are_found(opened):
    seen = opened()
    tab = seen.open("#choose")
    tab.evaluate("document.querySelector('#what').closest('label').replaceWith(document.querySelector('#what'))")
    assert [v["id"] for v in axe(tab)] == ["select-name"]
    tab.evaluate("setTimeout(() => { throw new Error('planted'); })")
    tab.wait_for_timeout(100)
    assert any("planted" in e for e in seen.errors)


def test_it_is_ready_in_two_seconds(opened):
    seen = opened()
    session = seen.context.new_cdp_session(seen.tab)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})  # of its own thread, however busy the machine is
    tab = seen.open()
    spent = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}["TaskDuration"]
    print(
        f"\nReady after {spent:.2f} s of the page's thread, {tab.evaluate('performance.now()') / 1000:.2f} s of the clock"
    )
    assert spent < 2
    assert seen.tab.locator(".card .verdict").count() == 1


def test_pick_and_the_card_is_that_of_the_atlas(opened):
    seen = opened()
    tab = seen.open()
    seen.click("label:has-text('a probability p')")
    seen.click("label:text-is('float16')")
    seen.choose("#what", "clip_1e-15")
    row = next(
        r for r in rows_of("atlas") if (r["problem"], r["kernel"], r["format"]) == ("bce", "clip_1e-15", "float16")
    )
    card = tab.inner_text("article.card")
    assert "clip_1e-15 in float16" in card and row["verdict"] in card and row["use_instead"] in card
    assert "first" in card and "Largest error" in card
    again = opened()
    again.open(tab.url.removeprefix(again.address))
    assert again.tab.inner_text("article.card") == card
    seen.click("text=Error curve")
    seen.tab.go_back()
    seen.tab.wait_for_selector("article.card")
    assert tab.inner_text("article.card") == card


def test_filter_sort_and_save(opened):
    seen = opened()
    tab = seen.open("#atlas")
    seen.choose("label:has-text('Verdict') select", "safe")
    verdicts = tab.locator("tbody .verdict").all_inner_texts()
    assert verdicts and set(verdicts) == {"safe"}
    seen.choose("label:has-text('Format') select", "float64")
    link = tab.url
    shown = tab.locator("tbody tr").all_inner_texts()
    assert all("float64" in row for row in shown)
    seen.click("th button:has-text('kernel')")
    assert tab.locator("th[aria-sort=ascending]").inner_text().startswith("kernel")
    again = opened()
    again.open(link.removeprefix(again.address))
    assert sorted(again.tab.locator("tbody tr").all_inner_texts()) == sorted(shown)
    seen.open("#rows?table=exhaustive_logits")
    tab.fill("input[type=search]", "lse_log1p")
    with tab.expect_download() as given:
        tab.click("text=Save these rows (CSV)")
    saved = list(csv.DictReader(Path(given.value.path()).read_text(encoding="utf-8").splitlines()))
    assert saved == [r for r in rows_of("exhaustive_logits") if r["kernel"] == "lse_log1p"]


def test_a_rows_bibtex_is_that_of_the_command(opened):
    seen = opened()
    for name, number in (("systems", 700), ("logits", 0), ("atlas", 5), ("claims", 0)):
        row = rows_of(name)[number]
        tab = seen.open(f"#rows?table={name}&row={number + 2}")
        with tab.expect_download() as given:
            tab.click("text=Save its BibTeX entry")
        saved = Path(given.value.path()).read_text(encoding="utf-8").strip()
        assert saved == citation.bibtex(citation.found(ROOT / "results", row["id"]))
        assert saved != citation.bibtex(citation.found(ROOT / "results", rows_of(name)[number + 1]["id"]))
    assert "(torch, " in citation.bibtex(citation.found(ROOT / "results", "889ccc9000"))


def test_rows_of_the_atlas_are_low_and_names_break_behind_their_parts(opened):
    tab = opened().open("#atlas")
    assert max(tab.evaluate("[...document.querySelectorAll('tbody tr')].map((r) => r.offsetHeight)")) < 130
    fits = "(e => e.scrollWidth <= e.clientWidth)(document.querySelector('.scroll'))"
    assert tab.evaluate(fits)
    tab.evaluate("document.querySelectorAll('tbody details').forEach((d) => { d.open = true; })")
    assert (
        max(tab.evaluate("[...document.querySelectorAll('tbody tr')].map((r) => r.offsetHeight)")) > 130
    )  # negative control
    assert tab.evaluate("report.name('torch.nn.a_b(x)').filter((p) => typeof p === 'string')") == [
        "torch.",
        "nn.",
        "a_",
        "b(",
        "x)",
    ]
    tab = opened().open("#systems?q=nn.BCEWithLogitsLoss&format=float32")
    assert "torch.nn.functional.binary_cross_entropy_with_logits" in tab.inner_text("tbody")


# The text of one point of the first curve, and where it stands in the window.
PLACED = """() => {
  const plot = document.querySelector(".plot"), { xaxis, yaxis } = plot._fullLayout;
  plot.scrollIntoView({ behavior: "instant" });
  const curve = plot.data.find((t) => t.text), i = Math.round(curve.x.length * 0.75), box = plot.getBoundingClientRect();
  return [curve.text[i], [box.left + xaxis._offset + xaxis.l2p(curve.x[i]), box.top + yaxis._offset + yaxis.l2p(curve.y[i])]];
}"""


def test_hovering_shows_exact_values(opened):
    seen = opened()
    tab = seen.open("#curves?problem=bce_logits&format=float32&target=0&what=sigmoid_clip_1e-7")
    told, at = tab.evaluate(PLACED)
    tab.mouse.move(at[0] - 5, at[1])
    tab.mouse.move(*at, steps=3)
    tab.wait_for_selector(".hoverlayer .hovertext")
    x, computed = (re.search(rf"{name} .*?\((.*?)\)", told)[1] for name in ("input", "computed"))
    case = _case("bce_logits", "sigmoid_clip_1e-7", "float32", "0")
    ordinal = case.fmt.ordinal(np.array([case.fmt.parse(x)]))
    assert computed == case.fmt.hex(case.compute(ordinal)[0])
    exact = case.exact(int(ordinal[0]))
    shown = re.search(r"exact +([^\s<]+)", told)[1].replace("−", "-")
    assert abs(mp.mpf(shown) - exact) <= abs(exact) * mp.mpf("1e-14")
    other = case.exact(int(ordinal[0]) + 1)  # the neighbour's value is another one
    assert abs(mp.mpf(shown) - other) > abs(exact) * mp.mpf("1e-12")
    read = tab.locator("table.exact tbody tr").inner_text()
    assert x in read and computed in read


def test_the_pages_numbers_are_right(opened):
    tab = opened().open("#cite")
    rng, cases = random.Random(1), []
    for _ in range(60):
        high = rng.uniform(-1, 1) * 2.0 ** rng.randint(-1070, 1020)
        cases.append((high, high * 2.0**-54 * rng.uniform(-1, 1) if abs(high) > 1e-200 else 0.0))
    cases += [(1.0, 0.0), (5e-324, 0.0), (-0.1, 0.0), (2.0**70, 1.0), (9.9999999999999995, 0.0), (1e22, 0.0)]
    told = tab.evaluate("(cases) => cases.map(([a, b]) => [numbers.decimal(a, b, 25), numbers.hex(a)])", cases)
    for (high, rest), (text, hexed) in zip(cases, told):
        with mp.workprec(3000):
            exact = mp.mpf(high) + mp.mpf(rest)
            given = mp.mpf(text.replace("−", "-"))
            assert abs(given - exact) <= abs(exact) * mp.mpf(10) ** -24, (high, rest, text)
        assert float.fromhex(hexed) == high
    for name in ("float16", "bfloat16", "float32"):
        fmt = format_named(name)
        values = [float(fmt.from_ordinal(np.array([rng.randrange(fmt.max_ordinal)]))[0]) for _ in range(40)]
        texts_ = tab.evaluate("([v, f]) => v.map((x) => numbers.short(x, report.core.formats[f]))", [values, name])
        assert [float(fmt.parse(t.replace("−", "-"))) for t in texts_] == values
        assert max(len(t) for t in texts_) <= 18  # nine digits, or all of a whole number below 10^16
    planted = tab.evaluate("numbers.decimal(1, 2 ** -60, 25)")
    assert planted != tab.evaluate("numbers.decimal(1, 0, 25)") and mp.almosteq(mp.mpf(planted), 1 + mp.mpf(2) ** -60)
    assert mpmath.nstr(mp.mpf(planted), 5) == "1.0" and decimal(mp.mpf(1), 3) != planted


TASKS = {
    "Which range of logits is safe for a clip at 1e-7 in bfloat16?": (
        "", [("click", "label:text-is('bfloat16')"), ("choose", "#what", "sigmoid_clip_1e-7")], "Safe range",
    ),
    "What do I use in place of torch.sigmoid + binary_cross_entropy?": (
        "", [("choose", "#what", "torch.sigmoid + binary_cross_entropy = torch.nn.Sigmoid + BCELoss"), ("click", ".facts section:has-text('Use instead') a")],
        "torch.nn.functional.binary_cross_entropy_with_logits in float32",
    ),
    "How far apart are a formula and what to use instead?": (
        "", [("choose", "#what", "lse_log"), ("click", "text=Compare with what to use instead")], "Compared, bce_logits in float32",
    ),
    "Which calls of scikit-learn are unsafe?": (
        "", [("click", "nav >> text=Systems"), ("choose", "label:has-text('Library') select", "sklearn"), ("choose", "label:has-text('Verdict') select", "unsafe")],
        "Systems: the losses",
    ),
    "What does torch's BCEWithLogitsLoss cost in bfloat16?": (
        "", [("click", "label:text-is('bfloat16')"), ("choose", "#what", "torch.nn.functional.binary_cross_entropy_with_logits = torch.nn.BCEWithLogitsLoss")],
        "The same as torch.nn.BCEWithLogitsLoss.",
    ),
    "Is a clip at 1e-7 safe in float32 for training?": (
        "", [("choose", "#what", "sigmoid_clip_1e-7"), ("click", "text=Does it matter for training?")], "All questions",
    ),
    "How do I cite the row behind a card?": (
        "", [("click", "summary:has-text('behind this card')"), ("click", ".card details a")], "Cite as:",
    ),
}  # fmt: skip


@pytest.mark.parametrize("task", TASKS)
def test_tasks_take_three_clicks_at_most(opened, task):
    start, steps, answer = TASKS[task]
    seen = opened()
    seen.open(start)
    assert answer not in seen.text or answer == "Safe range"
    for what, *arguments in steps:
        getattr(seen, what)(*arguments)
    seen.tab.wait_for_function("(t) => document.querySelector('main').innerText.includes(t)", arg=answer)
    assert seen.clicks <= 3
    assert seen.errors == []


def test_keys_are_enough(opened):
    seen = opened()
    tab = seen.open()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "skip"
    tab.locator("input[name=format]:checked").focus()
    tab.keyboard.press("ArrowRight")
    tab.wait_for_function("document.querySelector('article.card h2').innerText.includes('float64')")
    assert tab.evaluate("document.activeElement.value") == "float64"
    seen.open("#curves?problem=bce_logits&format=float32&what=lse_log1p")
    before = tab.inner_text("table.exact tbody")
    tab.locator("#at").focus()
    for _ in range(25):
        tab.keyboard.press("ArrowRight")
    assert tab.inner_text("table.exact tbody") != before
    tab.select_option("#theme", "dark")
    seen.wait()
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
