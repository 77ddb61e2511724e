# Experiments sweep kernels over grids, make tables of their errors, and draw them.
# Rules stand in data-flow order; experiments/*.yaml say what, harness/ says how.

from pathlib import Path

from harness import experiments
from harness.dependencies import sources

MAIN = ["logits", "probabilities", "gradients", "primitives"]
EXPERIMENTS = {
    path.stem: experiments.load(path)
    for path in sorted(Path("experiments").glob("*.yaml"))
    if path.stem != "schema"
}
# The code that each stage runs: an edit reruns the stages that depend on it.
SWEEP = {name: sources(["harness.sweep_stage"], e) for name, e in EXPERIMENTS.items()}
TABLE = {name: sources(["harness.table_stage"], e) for name, e in EXPERIMENTS.items()}
SHARDS = {
    name: [f"{f.name}.{i}" for f in e.formats for i in range(e.shards_of(f.name))]
    for name, e in EXPERIMENTS.items()
}


wildcard_constraints:
    root="results|results/quick",
    experiment="|".join(EXPERIMENTS),
    format="[a-z0-9_]+",
    shard=r"\d+",


rule all:
    input:
        expand("results/tables/{experiment}.csv", experiment=MAIN),


rule quick:
    input:
        expand("results/quick/tables/{experiment}.csv", experiment=MAIN),


rule sweep:
    input:
        experiment="experiments/{experiment}.yaml",
        code=lambda w: SWEEP[w.experiment],
    output:
        "{root}/summaries/{experiment}.{format}.{shard}.npz",
    log:
        "{root}/logs/sweep.{experiment}.{format}.{shard}.log",
    params:
        grid=lambda w: "--grid quick" if w.root == "results/quick" else "",
    shell:
        "harness sweep {input.experiment} --format {wildcards.format} --shard {wildcards.shard} {params.grid}"
        " --out {output} > {log} 2>&1"


rule table:
    input:
        experiment="experiments/{experiment}.yaml",
        code=lambda w: TABLE[w.experiment],
        summaries=lambda w: expand(
            "{root}/summaries/{experiment}.{shard}.npz",
            root=w.root,
            experiment=w.experiment,
            shard=SHARDS[w.experiment],
        ),
    output:
        multiext("{root}/tables/{experiment}", ".md", ".tex", ".json"),
        csv=report(
            "{root}/tables/{experiment}.csv",
            caption="docs/captions/table.rst",
            category="Tables",
            labels={"experiment": "{experiment}"},
        ),
    log:
        "{root}/logs/table.{experiment}.log",
    shell:
        "harness table {input.experiment} {input.summaries} --out {output.csv} > {log} 2>&1"
