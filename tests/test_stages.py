"""From an experiment to a verified table: stages, files, and what happens when they are damaged."""

import json
import shutil
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
from harness.tables import rows, verify, writer
from harness.tables.job import table_job
from harness.workflow import experiments, files
from harness.workflow.experiments import targets_in

SCHEMA = Path(__file__).parent.parent / "experiments" / "schema.yaml"
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


def sign(base, rows):
    """Write a table's sidecar anew, so that the checksums are those of its files as they are now."""
    checksums = {base.with_suffix(s).name: files.sha256(base.with_suffix(s)) for s in (".csv", ".md", ".tex")}
    files.write_json(base.with_suffix(".json"), writer.sidecar(base.name, rows, checksums, {}))


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

    def test_a_kernel_that_is_new_is_missed(self, copy, paths):
        (copy / "small.yaml").write_text(YAML.replace("lse_log1p,", "lse_log1p, lse_log,"))
        with pytest.raises(UsageError, match="lacks lse_log of bce_logits; sweep again"):
            shards_of(experiments.load(copy / "small.yaml"), paths)


class TestVerify:
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
        sidecar.write_text(sidecar.read_text().replace('"libc": "', '"libc": "another '))
        assert "small: 12 rows, 12 with the kernel run again; made with libc another " in verify.verify(copy).text


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
