"""What pages say of kernels' errors is read, and a page that says less than a table knows is caught."""

from pathlib import Path

import pytest

from harness.tables import contradictions, prose, writer
from harness.tables.rows import CONTRACT
from harness.tables.strongest import Known

EVERY = {
    **dict.fromkeys(CONTRACT, "0"), "problem": "bce_logits", "kernel": "softplus_pair", "format": "float32", "target": "0",
    "grid": "exhaustive", "exhaustive": "true", "max_ulp": "2.88690665", "max_ulp_input": "0x1p+3",
    "safe_lo": "0x0p+0", "safe_hi": "0x0p+0",
}  # fmt: skip
SEARCHED = {
    **EVERY,
    **dict.fromkeys(CONTRACT[11:], ""),
    "grid": "search",
    "exhaustive": "false",
    "max_ulp": "4.37771698",
}
ROWS = [EVERY, {**EVERY, "kernel": "naive", "max_ulp": "7"}, {**SEARCHED, "target": "0.25"}]
ROWS += [{**EVERY, "problem": "softplus", "target": "", "kernel": "naive", "max_ulp": "9"}]
TRUE = """# Page

- `softplus_pair` errs by at most 2.89 ulp for y = 0 in float32, and `naive` by at most 7 ulp.
- Two forms: `naive` loses 12 ulp; softplus_pair stays within 3 ulp with hard labels.
- `softplus_pair` errs by ≥ 2.15 ulp; softplus_pair is within 1 ulp for |x| ≤ 4; log1p(x) stays within 0.5 ulp.
- For soft labels too the sum of two softplus terms is within 4.38 ulp.
- `naive` of `softplus` is never found more than 9 ulp off.
- The sum of two softplus terms errs by ≥ 4.37 ulp, the most known at any target.
- The fused form errs by ≥ 2.88 ulp at the targets 0 and 1.

| kernel | format | target | max error (ulp) |
| --- | --- | --- | --- |
| softplus_pair | float32 | 0 | 2.89 |
| softplus_pair | float32 | 0.25 | ≥ 2 |
"""
PLANTED = {
    "a bound at one target": ("at most 2.89 ulp for y = 0", "at most 2.8 ulp for y = 0"),
    "a bound of another word": ("within 3 ulp with hard", "no more than 2.5 ulp with hard"),
    "a bound of all targets": ("within 4.38 ulp", "within 4.36 ulp"),
    "a bound within a limit": ("|x| ≤ 4", "|x| ≤ 20"),
    "a bound of a kernel of one problem": ("more than 9 ulp", "more than 8 ulp"),
    "a bound behind its number": ("`naive` loses 12 ulp", "`softplus_pair` is 2 ulp off at worst in float32"),
    "the kernel that is named last, of whichever problem": ("by at most 7 ulp", "by at most 6 ulp"),
    "the most known": ("≥ 4.37 ulp, the most", "≥ 4.36 ulp, the most"),
    "the most known of what has another name": (
        "by ≥ 2.88 ulp at the targets 0 and 1",
        "by ≥ 2.88 ulp, the most known in any format",
    ),
    "a line of a table": ("| 2.89 |", "| 2.87 |"),
    "a line of a table without its mark": ("| ≥ 2 |", "| 2 |"),
}


def said(folder: Path, text: str) -> list[str]:
    page = folder / "docs" / "questions" / "page.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text, encoding="utf-8")
    table = folder / "results" / "tables" / "every.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_text(writer.to_csv(ROWS, list(EVERY)))
    return contradictions.contradictions(folder / "results")


def test_what_is_true_stands(tmp_path):
    assert said(tmp_path, TRUE) == []


@pytest.mark.parametrize(("old", "new"), PLANTED.values(), ids=PLANTED)
def test_a_planted_contradiction_is_caught(tmp_path, old, new):
    assert old in TRUE
    (found,) = said(tmp_path, TRUE.replace(old, new))
    assert found.startswith("page.md: ") and "every has" in found


def test_a_maximum_that_names_no_kernel_needs_its_mark(tmp_path):
    table = "\n| loss | as | max ulp, usual | max ulp |\n| --- | --- | --- | --- |\n| Some's, \\|x\\| | `bce` | ≥ 2.15 | ≥ 2.88 |\n"
    assert said(tmp_path, TRUE + table) == []
    found = [text for n in ("2.15", "2.88") for text in said(tmp_path, TRUE + table.replace(f"≥ {n}", n))]
    assert [f"has {n} under" in text for n, text in zip(("2.15", "2.88"), found, strict=True)] == [True, True]
    assert all(text.startswith("page.md: ") and "without ≥" in text for text in found)


def test_the_readme_is_read_too(tmp_path):
    said(tmp_path, TRUE)
    (tmp_path / "README.md").write_text("`softplus_pair` is within 2.5 ulp for y = 0.\n")
    (found,) = contradictions.contradictions(tmp_path / "results")
    assert found.startswith("README.md: ") and "says 2.5 ulp of softplus_pair, every has 2.88690665" in found


def test_the_projects_pages_have_statements_that_are_read():
    named = ["softplus_pair", "maechler", "log-sum-exp form"]
    pages = [
        Path(f"docs/questions/{name}.md").read_text(encoding="utf-8") for name in ("epsilons", "training", "claims")
    ]
    assert all(any(prose.sentences(page, named)) for page in pages)
    known = Known.of([Path("results/tables/exhaustive_logits.csv")])
    assert not [text for path in Path("docs").rglob("*.md") for text in prose.exceeded(path, known)]
