"""From an experiment to a verified table: stages, files, and what happens when they are damaged."""

import json
import shutil
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from harness import UsageError
from harness.kernels import kernel_named
from harness.numbers.formats import FORMATS
from harness.problems import PROBLEMS
from harness.studies import study
from harness.sweep import stored
from harness.sweep.case import Case
from harness.sweep.grid import Grid
from harness.sweep.job import sweep_job
from harness.sweep.shards import Shards, merged, shards_in, shards_of
from harness.sweep.streaming import sweep
from harness.tables import resweep, rows, sums, verify, writer
from harness.tables.advice import advised
from harness.tables.job import table_job
from harness.tables.strongest import Known
from harness.truth.errors import SPURIOUS
from harness.workflow import experiments, files
from harness.workflow.targets import targets_in

SCHEMA = Path(__file__).parent.parent / "experiments" / "schema.yaml"
# What is written into a column whose cells are no plain numbers.
PLANTED = {
    "grid": "standard",
    "exhaustive": "true",
    **dict.fromkeys(("max_ulp_input", "max_ulp_computed", "safe_lo", "safe_hi"), "0x1p-3"),
    **dict.fromkeys(("max_rel_input", "max_abs_input"), "0x1p-3"),
}
YAML = """
question: How wrong are three kernels in half precision?
problems: [bce_logits]
kernels: [sigmoid_clip_1e-7, lse_log1p, linear_softplus]
formats: [float16, float32]
targets: [0, 0.1]
shards: {float32: 3}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Run a small experiment through its stages, in a results folder."""
    folder = tmp_path_factory.mktemp("results")
    shutil.copy(SCHEMA, folder)
    (folder / "small.yaml").write_text(YAML)
    experiment = experiments.load(folder / "small.yaml")
    paths = []
    for fmt in experiment.formats:
        for shard in range(experiment.shards_of(fmt.name)):
            paths.append(folder / "summaries" / f"small.{fmt.name}.{shard}.npz")
            sweep_job(experiment, fmt, shard, "quick", paths[-1])
    table_job(experiment, paths, folder / "tables" / "small.csv")
    return folder


@pytest.fixture
def copy(folder, tmp_path):
    """Give a results folder that a test may spoil."""
    return shutil.copytree(folder, tmp_path / "results")


def sign(base, rows, **extra):
    """Write a table's sidecar anew, so that the checksums are those of its files as they are now."""
    checksums = {base.with_suffix(s).name: files.sha256(base.with_suffix(s)) for s in (".csv", ".md", ".tex")}
    files.write_json(base.with_suffix(".json"), writer.sidecar(base.name, rows, checksums, extra))


class TestTable:
    def test_columns_and_rows(self, folder):
        frame = writer.read(folder / "tables" / "small.csv")
        assert tuple(frame.columns[: len(rows.CONTRACT)]) == rows.CONTRACT
        assert len(frame) == 3 * 2 * 2
        assert set(frame["target"]) == {"0", "0.1"}
        assert all(len(v.split("e")[0].replace(".", "").strip("-0")) <= 25 for v in frame["max_ulp_exact"])

    def test_the_same_bytes_whatever_the_shards(self, folder, tmp_path):
        shutil.copy(SCHEMA, tmp_path)
        (tmp_path / "small.yaml").write_text(YAML.replace("float32: 3", "float32: 1"))
        experiment = experiments.load(tmp_path / "small.yaml")
        paths = []
        for fmt in experiment.formats:
            paths.append(tmp_path / f"small.{fmt.name}.0.npz")
            sweep_job(experiment, fmt, 0, "quick", paths[-1])
        table_job(experiment, paths[::-1], tmp_path / "small.csv")
        for suffix in ("csv", "md", "tex"):
            assert (tmp_path / f"small.{suffix}").read_bytes() == (folder / "tables" / f"small.{suffix}").read_bytes()

    def test_markdown_and_latex_hold_every_row(self, folder):
        markdown = (folder / "tables" / "small.md").read_text()
        latex = (folder / "tables" / "small.tex").read_text()
        assert sum(line.startswith("| ") for line in markdown.splitlines()) == 12 + 1
        assert latex.count(r"\\") >= 12 and r"\toprule" in latex and "lse\\_log1p" in latex

    def test_sidecar_names_what_the_figures_depend_on(self, folder):
        sidecar = json.loads((folder / "tables" / "small.json").read_text())
        assert sidecar["rows"] == 12
        assert sidecar["audit"]["float32"]["bce_logits"]["log2_relative_error"] < -48
        assert {"version", "sources", "python", "packages", "simd", "libc"} <= set(sidecar["provenance"])

    def test_shards_merge_to_the_whole(self, folder):
        experiment = experiments.load(folder / "small.yaml")
        fmt, problem = FORMATS["float32"], PROBLEMS["bce_logits"]
        parts = sorted((folder / "summaries").glob("small.float32.*.npz"))
        together = merged(parts)["bce_logits"]
        whole = sweep(
            problem, experiment.kernels["bce_logits"], Grid("quick", problem, fmt), targets_in(fmt, experiment.targets)
        ).summaries
        for name, summary in whole.items():
            for field in ("cells", "points", "max_ulp", "max_ulp_at", "sum_ulp", "bad_below", "bad_above"):
                assert np.array_equal(getattr(together[name], field), getattr(summary, field)), (name, field)


class TestShards:
    """Summaries are put together by what they say of themselves, and a sweep that is not whole is refused."""

    @pytest.fixture
    def paths(self, copy):
        return sorted((copy / "summaries").glob("*.npz"))

    def told(self, path, **change):
        """Let a summary say something else of itself."""
        summaries, description = stored.read_summaries(path)
        stored.write_summaries(path, summaries, {**description, **change})

    def test_names_say_nothing(self, copy, paths):
        renamed = [p.rename(p.with_name(f"{chr(ord('z') - i)}.npz")) for i, p in enumerate(paths)]
        experiment = experiments.load(copy / "small.yaml")
        found = shards_of(experiment, renamed[::-1])
        assert found == Shards("quick", {"float16": renamed[:1], "float32": renamed[1:]})
        table_job(experiment, renamed, copy / "again.csv")
        assert (copy / "again.csv").read_bytes() == (copy / "tables" / "small.csv").read_bytes()

    @pytest.mark.parametrize(
        ("spoil", "said"),
        [
            (lambda paths: paths[:-1], "2 of 3 shards of small in float32 were given"),
            (lambda paths: paths[1:], "0 shards of small in float16 were given"),
            (lambda paths: [*paths, paths[2]], "shard 1 of small in float32 was given twice"),
            (lambda paths: [], "0 shards of small in float16 were given"),
        ],
    )
    def test_each_shard_once(self, copy, paths, spoil, said):
        with pytest.raises(UsageError, match=said):
            shards_of(experiments.load(copy / "small.yaml"), spoil(paths))

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"experiment": "large"}, "of another experiment, targets or grid"),
            ({"targets": ["0", "1"]}, "of another experiment, targets or grid"),
            ({"grid": "standard"}, "of another experiment, targets or grid"),
            ({"shards": 4}, "divided into 3 and into 4 shards"),
        ],
    )
    def test_all_of_one_sweep(self, copy, paths, change, said):
        self.told(paths[-1], **change)
        for find in (shards_in, lambda p: shards_of(experiments.load(copy / "small.yaml"), p)):
            with pytest.raises(UsageError, match=said):
                find(paths)

    @pytest.mark.parametrize(
        ("key", "value", "said"),
        [
            ("simd", ["X86_V9"], "measured with simd .* and with simd X86_V9; sweep again"),
            ("libc", "glibc 2.1", "and with libc glibc 2.1; sweep again"),
            ("sources", "0" * 64, "and with sources 0{64}; sweep again"),
            ("packages", {"numpy": "1.0"}, "and with numpy 1.0, "),
            ("version", "0.1", "and with version 0.1"),
        ],
    )
    def test_all_measured_alike(self, copy, paths, key, value, said):
        """A shard that was swept with other versions, sources or functions than the rest is refused."""
        provenance = stored.read_description(paths[-1])["provenance"]
        self.told(paths[-1], provenance={**provenance, key: value})
        for find in (shards_in, lambda p: shards_of(experiments.load(copy / "small.yaml"), p)):
            with pytest.raises(UsageError, match=said):
                find(paths)

    def test_what_only_shows_tables_may_differ(self, copy, paths):
        told = stored.read_description(paths[-1])["provenance"]
        changed = {**told, "commit": "another", "packages": {**told["packages"], "pandas": "0.1", "snakemake": "1"}}
        self.told(paths[-1], provenance=changed)
        assert shards_of(experiments.load(copy / "small.yaml"), paths).grid == "quick"

    @pytest.mark.parametrize(
        "edit",
        [("targets: [0, 0.1]", "targets: [0, 0.1]\ngrid: exhaustive"), ("sigmoid_clip_1e-7, ", ""), ("32: 3", "32: 4")],
    )
    def test_an_experiment_that_was_edited_is_not_mixed(self, copy, paths, edit):
        """Grid, kernels or shards edited between sweep and table: the summaries are of what it said before."""
        before = experiments.load(copy / "small.yaml")
        (copy / "small.yaml").write_text(YAML.replace(*edit))
        after = experiments.load(copy / "small.yaml")
        table = (copy / "tables" / "small.csv").read_bytes()
        with pytest.raises(UsageError, match="was swept when small said something else than now; sweep again"):
            table_job(after, paths, copy / "tables" / "small.csv")
        assert (copy / "tables" / "small.csv").read_bytes() == table
        assert shards_of(before, paths).grid == "quick"  # the negative control

    def test_what_is_made_of_it_may_be_edited(self, copy, paths):
        (copy / "small.yaml").write_text(YAML.replace("three kernels", "some kernels") + "figures: false\n")
        assert shards_of(experiments.load(copy / "small.yaml"), paths).grid == "quick"

    def test_a_summary_that_says_nothing_of_the_experiment_is_refused(self, copy, paths):
        summaries, description = stored.read_summaries(paths[0])
        del description["experiment_sha256"]
        stored.write_summaries(paths[0], summaries, description)
        with pytest.raises(UsageError, match="does not say what the experiment was"):
            shards_of(experiments.load(copy / "small.yaml"), paths)

    @pytest.mark.parametrize(("factor", "agrees"), [(1 + 1e-6, False), (0.5, False), (1 + 1e-12, True)])
    def test_the_sweeps_error_must_be_the_recomputed_one(self, copy, paths, factor, agrees):
        """What other functions under the sweep do to a table: its largest error is not found again."""
        summaries, description = stored.read_summaries(paths[0])
        summary = summaries["bce_logits"]["lse_log1p"]
        summary.max_ulp *= factor
        stored.write_summaries(paths[0], summaries, description)

        def make():
            table_job(experiments.load(copy / "small.yaml"), paths, copy / "new.csv")

        if agrees:
            make()
            return
        with pytest.raises(UsageError, match=r"^lse_log1p of bce_logits in float16, target 0, errs by .* ulp now"):
            make()
        assert not (copy / "new.csv").exists()

    def test_a_kernel_that_is_new_is_missed(self, copy, paths):
        (copy / "small.yaml").write_text(YAML.replace("lse_log1p,", "lse_log1p, lse_log,"))
        with pytest.raises(UsageError, match="lacks lse_log of bce_logits; sweep again"):
            shards_of(experiments.load(copy / "small.yaml"), paths)


class TestVerify:
    @pytest.mark.parametrize("column", [c for c in rows.COLUMNS if c not in ("problem", "kernel", "format", "target")])
    def test_a_false_cell_of_any_column_is_found(self, copy, column):
        """Checksums are those of the altered file: what a column says is measured again."""
        base = copy / "tables" / "small"
        frame = writer.read(base.with_suffix(".csv"))
        frame.loc[3, column] = PLANTED.get(column, "5")
        frame.to_csv(base.with_suffix(".csv"), index=False, lineterminator="\n")
        sign(base, len(frame))
        found = verify.verify(copy)
        said = "points is " if column == "grid" else f"{column} is "  # on another grid, all else is another
        assert not found.ok and "small.csv:5" in found.text and said in found.text

    @pytest.mark.parametrize(
        ("column", "value"),
        [("mean_ulp", "0.01"), ("correctly_rounded", "0.01"), ("spurious_zero", "5"), ("remedy", "5")],
    )
    def test_deep_finds_what_a_sample_of_rows_misses(self, copy, column, value, monkeypatch):
        monkeypatch.setattr(resweep, "ROWS", 1)
        base = copy / "tables" / "small"
        frame = writer.read(base.with_suffix(".csv"))
        (drawn,) = resweep.few(frame).index
        missed = next(i for i in frame.index if i != drawn)
        frame.loc[missed, column] = value
        frame.to_csv(base.with_suffix(".csv"), index=False, lineterminator="\n")
        sign(base, len(frame))
        assert verify.verify(copy).ok == (column != "remedy")  # a cure that is none is seen without a sweep
        found = verify.verify(copy, deep=True)
        assert not found.ok and f"small.csv:{missed + 2}: {column} is {value}, swept again" in found.text

    @pytest.mark.parametrize("column", ["mean_ulp", "correctly_rounded", "points", "capped", *SPURIOUS])
    def test_counts_shares_and_means_of_every_row_are_held_against_the_sums_of_its_cells(
        self, copy, column, monkeypatch
    ):
        """Without a sweep; the negative control is a sidecar that has no sums."""
        monkeypatch.setattr(resweep, "tasks", lambda *a, **k: [])
        monkeypatch.setattr(verify, "_rows", lambda tables, beside, results: [[] for _ in beside])
        base = copy / "tables" / "small"
        frame, made_of = writer.read(base.with_suffix(".csv")), files.read_json(base.with_suffix(".json"))[writer.SUMS]
        assert verify.verify(copy).ok and "5" not in set(frame[column])
        frame[column] = "5"
        frame.to_csv(base.with_suffix(".csv"), index=False, lineterminator="\n")
        sign(base, len(frame), sums=made_of)
        found = verify.verify(copy)
        assert all(
            f"small.csv:{i + 2}: {column} is 5, the sums of its cells make it" in found.text for i in frame.index
        )
        assert len(found.wrong) == len(frame)
        sign(base, len(frame))
        assert verify.verify(copy).ok

    def test_the_sums_of_sampled_cells_are_swept_again_in_every_row(self, copy, monkeypatch):
        """A count moved from the others to the sample leaves the row as it is."""
        monkeypatch.setattr(resweep, "ROWS", 0)
        base = copy / "tables" / "small"
        frame, made_of = writer.read(base.with_suffix(".csv")), files.read_json(base.with_suffix(".json"))[writer.SUMS]
        for i, text in enumerate(made_of):
            here, others = ([int(v) for v in part.split()[:-1]] for part in text.split(sums.BETWEEN))
            here[2], others[2] = here[2] + 1, others[2] - 1  # correctly rounded
            totals = [part.split()[-1] for part in text.split(sums.BETWEEN)]
            made_of[i] = sums.BETWEEN.join(" ".join([*map(str, n), t]) for n, t in zip((here, others), totals))
        assert verify.verify(copy).ok
        sign(base, len(frame), sums=made_of)
        found = verify.verify(copy)
        assert len(found.wrong) == len(frame) and all("its sampled cells have" in text for text in found.wrong)

    def test_sums_of_other_rows_than_there_are_are_not_used(self, copy):
        base = copy / "tables" / "small"
        made_of = files.read_json(base.with_suffix(".json"))[writer.SUMS]
        sign(base, len(made_of), sums=made_of[1:])
        assert (
            f"small.json has the sums of {len(made_of) - 1} rows, and there are {len(made_of)}"
            in verify.verify(copy).text
        )

    def test_sums_that_are_no_numbers_are_told(self, copy):
        base = copy / "tables" / "small"
        made_of = files.read_json(base.with_suffix(".json"))[writer.SUMS]
        sign(base, len(made_of), sums=["one | two", *made_of[1:]])
        assert "small.json has sums that are no numbers: " in verify.verify(copy).text

    def test_moderate_inputs_are_among_the_sampled_cells(self):
        for name in ("bce_logits", "bce", "log"):
            for fmt in FORMATS.values():
                grid = Grid("standard", PROBLEMS[name], fmt)
                cells = sums.sampled_cells(grid)
                inside = fmt.from_ordinal(grid.ordinals(cells)).astype(float)
                assert set(cells) <= set(grid.cells) and 4 <= len(cells) <= sum(sums.SOME)
                assert ((abs(inside) > 1 / 16) & (abs(inside) < 32)).mean() >= 0.4, (name, fmt.name)
        every = Grid("exhaustive", PROBLEMS["bce_logits"], FORMATS["float32"])
        assert len(sums.sampled_cells(every)) == sum(sums.FEW)

    @pytest.mark.parametrize(("column", "value"), [("nan_input", "0x1p+1"), ("zero_input", "")])
    def test_an_outcome_whose_count_and_input_differ_is_found_without_a_sweep(self, copy, column, value, monkeypatch):
        monkeypatch.setattr(resweep, "tasks", lambda *a, **k: [])
        base = copy / "tables" / "small"
        frame = writer.read(base.with_suffix(".csv"))
        line = int(frame.index[(frame["zero_input"] != "") & (frame["nan_input"] == "")][0])
        assert verify.verify(copy).ok
        frame.loc[line, column] = value
        frame.to_csv(base.with_suffix(".csv"), index=False, lineterminator="\n")
        sign(base, len(frame))
        assert f"{column} is {value or 'empty'}" in verify.verify(copy).text

    def test_rows_are_drawn_from_every_problem_and_format(self, folder, monkeypatch):
        frame = writer.read(folder / "tables" / "small.csv")
        monkeypatch.setattr(resweep, "ROWS", 2)
        assert set(resweep.few(frame)["format"]) == {"float16", "float32"}
        monkeypatch.setattr(resweep, "POINTS", 10)
        assert resweep.few(frame).empty

    def test_nothing_is_read_of_a_table_with_another_checksum(self, copy):
        (copy / "tables" / "small.csv").write_text("no table at all")
        found = verify.verify(copy)
        assert "small: not read" in found.text and "does not match its checksum" in found.text

    def test_a_table_without_a_checksum_is_not_read(self, copy):
        path = copy / "tables" / "small.json"
        described = files.read_json(path)
        del described["sha256"]["small.csv"]
        files.write_json(path, files.sealed(described, writer.SIDECAR_SEAL))
        assert "small.csv has no checksum in small.json" in verify.verify(copy).text

    def test_a_whole_folder_verifies(self, folder):
        assert verify.verify(folder).ok

    @pytest.mark.parametrize("suffix", ["csv", "md", "tex"])
    def test_an_altered_file_is_found(self, copy, suffix):
        path = copy / "tables" / f"small.{suffix}"
        path.write_text(path.read_text().replace("1", "2", 1))
        found = verify.verify(copy)
        assert not found.ok and "checksum" in found.text

    def test_a_missing_file_is_found(self, copy):
        (copy / "tables" / "small.tex").unlink()
        assert "missing" in verify.verify(copy).text

    @pytest.mark.parametrize(
        "column", ["max_ulp", "max_ulp_computed", "max_ulp_exact", "max_rel", "max_abs", "safe_hi"]
    )
    def test_a_false_figure_is_found_even_with_right_checksums(self, copy, column):
        base = copy / "tables" / "small"
        frame = writer.read(base.with_suffix(".csv"))
        value = frame.loc[0, column]
        frame.loc[0, column] = "0x1p-3" if value.startswith(("0x", "-0x")) else value + "1"
        frame.to_csv(base.with_suffix(".csv"), index=False)
        sign(base, len(frame))
        found = verify.verify(copy)
        assert not found.ok and "small.csv:2" in found.text

    def test_other_functions_than_those_under_the_table_are_named(self, copy):
        base = copy / "tables" / "small"
        frame = writer.read(base.with_suffix(".csv"))
        frame.loc[0, "max_ulp_computed"] = "0x1p-3"
        frame.to_csv(base.with_suffix(".csv"), index=False)
        sign(base, len(frame))
        assert "made with" not in verify.verify(copy).text
        sidecar = base.with_suffix(".json")
        told = json.loads(sidecar.read_text().replace('"libc": "', '"libc": "another '))
        files.write_json(sidecar, files.sealed(told, writer.SIDECAR_SEAL))
        assert (
            "small: 12 rows, 12 with the kernel run again, 12 swept again; made with libc another "
            in verify.verify(copy).text
        )


class TestFiles:
    def test_nothing_is_left_of_a_failed_write(self, tmp_path):
        (tmp_path / "a.txt").write_text("old")
        with pytest.raises(RuntimeError), files.replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise RuntimeError
        assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
        assert (tmp_path / "a.txt").read_text() == "old"

    @pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b[:-400] + bytes(400), lambda b: b""])
    def test_a_damaged_summary_is_named(self, copy, damage):
        path = next((copy / "summaries").glob("*.npz"))
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(UsageError, match=path.name):
            stored.read_summaries(path)

    def test_an_altered_summary_is_named(self, copy):
        import zipfile

        path = next((copy / "summaries").glob("*.npz"))
        with zipfile.ZipFile(path) as z:
            members = {n: z.read(n) for n in z.namelist()}
        name = "bce_logits/max_ulp.npy"
        members[name] = members[name][:-8] + np.float64(0.25).tobytes()
        with zipfile.ZipFile(path, "w") as z:
            for n, data in members.items():
                z.writestr(n, data)
        with pytest.raises(UsageError, match="checksum"):
            stored.read_summaries(path)


class TestExperimentFiles:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (("problems:", "problem:"), "unknown key 'problem'; known keys: question, problems"),
            (("bce_logits]", "bce_logit]"), "unknown problem 'bce_logit'"),
            (("lse_log1p", "lse_log2p"), "unknown kernel 'lse_log2p'"),
            (("float16,", "float15,"), "unknown format 'float15'"),
            (("shards: {float32: 3}", "shards: {float32: 0}"), "shards.float32"),
            (("shards: {float32: 3}", "grid: fine"), "grid"),
            (("question", "- question"), "cannot be read as YAML"),
        ],
    )
    def test_a_mistake_is_named(self, tmp_path, change, said):
        shutil.copy(SCHEMA, tmp_path)
        (tmp_path / "small.yaml").write_text(YAML.replace(*change))
        with pytest.raises(UsageError, match=r"small\.yaml|unknown") as e:
            experiments.load(tmp_path / "small.yaml")
        assert said in str(e.value) and "\n" not in str(e.value)

    def test_every_experiment_loads(self):
        sweeps, studies = experiments.files(SCHEMA.parent)
        assert "logits" in sweeps and "claims" in studies
        for path in sweeps.values():
            assert experiments.load(path).question.endswith("?")
        for path in studies.values():
            assert study.load(path).question.endswith("?")


class TestSafeRange:
    """The ends are exact: the last good input, and a bad one beyond it."""

    @pytest.mark.parametrize("fmt", ["float16", "bfloat16", "float32", "float64"])
    @pytest.mark.parametrize("kernel", ["sigmoid_clip_1e-7", "lse_log", "softplus_naive", "linear_softplus"])
    def test_both_sides_of_each_end(self, fmt, kernel):
        problem, f = PROBLEMS["bce_logits"], FORMATS[fmt]
        grid, k, target = Grid("quick", problem, f), kernel_named("bce_logits", kernel), np.array([0]).astype(f.dtype)
        summary = sweep(problem, [k], grid, target).summaries[kernel]
        case = Case(problem, kernel, k, grid, target[0])
        found = rows.safe_range(case, int(summary.bad_below[0]), int(summary.bad_above[0]), 4.0)
        ends = [int(f.ordinal(np.array([f.parse(found[c])]))[0]) for c in ("safe_lo", "safe_hi")]
        beyond = [o for o in (ends[0] - 1, ends[1] + 1) if grid.start <= o < grid.stop]
        assert not case.bad(np.array(ends), 4.0).any()
        assert beyond and case.bad(np.array(beyond), 4.0).all()


@pytest.fixture(scope="module")
def whole():
    """The rows of three kernels over every float16 input."""
    problem, fmt = PROBLEMS["bce_logits"], FORMATS["float16"]
    kernels = [kernel_named("bce_logits", k) for k in ("lse_log1p", "sigmoid_add_eps_1e-7", "sigmoid_naive")]
    grid, targets = Grid("exhaustive", problem, fmt), np.array([0, 1], np.float16)
    done = sweep(problem, kernels, grid, targets)
    found = [r for k in kernels for r in rows.rows_of(problem, k, grid, targets, done.summaries[k.name])]
    found = advised(found)
    return writer.read(StringIO(writer.to_csv(found, rows.COLUMNS)))


class TestCellsOfLargeRows:
    """Of a row over too many inputs some cells are swept again: they may not show more than the row says."""

    def check(self, frame, monkeypatch):
        monkeypatch.setattr(resweep, "LARGE", 1000)
        return [
            w
            for task in resweep.tasks(frame, [], Known([]), deep=False, exhaustive=False)
            for w in resweep.again(task).wrong
        ]

    def test_true_rows_stand(self, whole, monkeypatch):
        assert self.check(whole, monkeypatch) == []

    @pytest.mark.parametrize(
        ("line", "column", "value"),
        [
            (2, "max_ulp", "0.1"),
            (7, "spurious_nan", "0"),
            (7, "safe_hi", "0x1.ffcp+15"),
            (2, "correctly_rounded", "0.001"),
            (4, "correctly_rounded", "0.999"),
        ],
    )
    def test_what_cells_contradict_is_found(self, whole, monkeypatch, line, column, value):
        frame = whole.copy()
        frame.loc[line - 2, column] = value
        found = self.check(frame, monkeypatch)
        assert found and {at for at, _ in found} == {line}

    def test_all_their_cells_in_parts(self, whole, monkeypatch):
        """With `exhaustive` a large row is swept in parts and compared whole."""
        monkeypatch.setattr(resweep, "LARGE", 1000)
        frame = whole.copy()
        frame.loc[3, "mean_ulp"] = "5"
        chosen = resweep.tasks(frame, [], Known([]), deep=True, exhaustive=True)
        assert len(chosen) == resweep.PARTS
        wrong = resweep.whole(chosen[0], [resweep.again(t) for t in chosen])
        assert [(line, text.split()[0]) for line, text in wrong] == [(5, "mean_ulp")]
