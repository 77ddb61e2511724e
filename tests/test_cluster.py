"""Clusters: the profile for Slurm fits the Snakefile, a Slurm is started only where it may be, the costs at scale are computed.

benchmarks/slurm.py runs the workflow on a real Slurm; its table stands in docs/howto/cluster.md.
"""

import re
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

import at_scale  # noqa: E402 - programs beside the tests
import slurm  # noqa: E402
from disturbances import slurm_cluster  # noqa: E402

PROFILE = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
SNAKEFILE = (ROOT / "Snakefile").read_text(encoding="utf-8")


def unknown(profile):
    """Names in a profile that no rule and no group has."""
    rules = set(re.findall(r"^ *rule (\w+):", SNAKEFILE, re.MULTILINE))
    groups = set(profile["groups"].values())
    return {*profile["set-resources"], *profile["groups"]} - rules | set(profile["group-components"]) ^ groups


class TestProfile:
    def test_it_names_rules_that_there_are(self):
        assert not unknown(PROFILE)

    @pytest.mark.parametrize("key", ["set-resources", "groups", "group-components"])
    def test_a_rule_that_is_not_there_is_found(self, key):
        assert unknown({**PROFILE, key: {**PROFILE[key], "swept": "swept"}})

    def test_a_group_asks_for_one_core(self):
        """Without it a group asks for a core for each of its jobs, and waits for ever where no node has so many."""
        assert PROFILE["cores"] == 1 and PROFILE["executor"] == "slurm"

    def test_what_is_lost_is_sent_again_by_one_of_them(self):
        assert PROFILE["retries"] >= 1 and PROFILE["slurm-no-requeue"] is True


class TestStartOfACluster:
    def test_not_where_programs_are_missing(self, monkeypatch):
        monkeypatch.setattr(slurm_cluster, "PROGRAMS", ("no-such-program",))
        assert "no-such-program not found" in slurm_cluster.unavailable()

    def test_not_on_a_host_of_a_cluster(self, monkeypatch, tmp_path):
        (tmp_path / "slurm.conf").touch()
        monkeypatch.setattr(slurm_cluster, "PROGRAMS", ("sh",))
        monkeypatch.setattr(slurm_cluster, "CONFIGURATION", tmp_path / "slurm.conf")
        monkeypatch.setattr("os.getuid", lambda: 0)
        assert slurm_cluster.unavailable().endswith("this host belongs to a cluster")
        monkeypatch.setattr("os.getuid", lambda: 1000)
        assert slurm_cluster.unavailable() == "only root can start Slurm's daemons"

    def test_the_program_says_why_it_skips(self, monkeypatch, capsys):
        monkeypatch.setattr(slurm, "unavailable", lambda: "there is none")
        monkeypatch.setattr(sys, "argv", ["slurm.py"])
        assert slurm.main() == 0 and capsys.readouterr().out == "skipped: there is none\n"


class TestCostsAtScale:
    ONE = at_scale.Measured(
        cells=1000, kernels=2, targets=3, rate=3.6e3, held=5 << 20, besides=100.0, merging=2.0, opening=0.5
    )

    def test_time_goes_with_inputs(self):
        found = at_scale.needed(10**12, self.ONE)
        assert (found.core_hours, found.shards) == (pytest.approx(1000), 1000)

    def test_no_more_shards_than_cells(self):
        found = at_scale.needed(10**14, self.ONE)
        assert (found.core_hours, found.shards) == (pytest.approx(100_000), 1000)
        assert found.size == (5 << 20) + 1000 * 100 and found.merging == 2 + 1000 * 0.5

    def test_fewer_where_an_hour_is_long(self):
        assert at_scale.needed(10**10, self.ONE).shards == 10

    def test_the_lines_are_those_of_the_numbers(self):
        (first, second) = at_scale.rows(self.ONE)
        assert first[0] == "10^12" and first[2:] == ["1,000,000,000", "1,000", "1,000", "1.0", "5", "502"]
        assert second[3] == "100,000" and "3,600 ns of one core" in at_scale.text(self.ONE)


def test_the_page_has_a_place_for_each_program():
    page = (ROOT / "docs" / "howto" / "cluster.md").read_text(encoding="utf-8")
    for program in ("slurm", "at_scale"):
        assert page.count(f"<!-- benchmarks/{program}.py writes this -->") == 1
