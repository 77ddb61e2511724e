# Experiments sweep kernels over grids, make tables of their errors, and draw them.
# Rules stand in data-flow order; experiments/*.yaml say what, harness/ says how.

import os
from pathlib import Path

from harness.figures import figure_names
from harness.studies import study
from harness.systems.pages import FIGURES as SYSTEM_FIGURES
from harness.systems.registry import libraries
from harness.workflow import experiments
from harness.workflow.dependencies import sources

# A fresh clone has the committed tables and figures, but not the summaries that they come from; Snakemake would
# take them as done.  Dated back, they are made again, each by the first run that asks for it.
if not Path(".snakemake/metadata").exists():
    for path in [*Path("results/tables").glob("*"), *Path("results/figures").glob("*")]:
        os.utime(path, (1, 1))  # 0 would mean unknown to Snakemake

SWEPT, STUDIED = experiments.files(Path("experiments"))
EXPERIMENTS = {name: experiments.load(path) for name, path in SWEPT.items()}
STUDIES = {name: study.load(path) for name, path in STUDIED.items()}
MAIN = ["logits", "probabilities", "gradients", "primitives"]
SEARCHES = [name for name, e in EXPERIMENTS.items() if e.search]
SWEEPS = [name for name in EXPERIMENTS if name not in SEARCHES]
EXHAUSTIVE = [name for name in SWEEPS if name.startswith("exhaustive_")]
# A study may use any kernel; its page's form does not touch its parts.
KERNELS = sorted(map(str, Path("harness/kernels").glob("*.py")))
PART_CODE = {
    name: sources(["harness.studies.study", f"harness.studies.{name}.measure"]) + KERNELS for name in STUDIES
}
STUDY_CODE = {
    name: [
        *sources(
            [
                "harness.studies.job",
                *(f"harness.studies.{name}.{m}" for m in ("measure", "tables", "figures")),
            ]
        ),
        *KERNELS,
        "harness/studies/page.md.j2",
        f"harness/studies/{name}/answer.md.j2",
    ]
    for name in STUDIES
}
SHARDS = {
    name: [f"{f.name}.{i}" for f in e.formats for i in range(e.shards_of(f.name))]
    for name, e in EXPERIMENTS.items()
}
FIGURES = {name: figure_names(EXPERIMENTS[name]) for name in MAIN}
LIBRARIES = [library.name for library in libraries()]
QUICK_LIBRARIES = [library.name for library in libraries() if library.quick]
# The code that each stage runs: an edit reruns the stages that depend on it, and nothing else.
CODE = {
    (stage, name): sources([f"harness.{stage}"], e)
    for stage in ("sweep.job", "search.job", "tables.job", "figures.job")
    for name, e in EXPERIMENTS.items()
}


wildcard_constraints:
    root="results|results/quick",
    experiment="|".join(EXPERIMENTS),
    format="[a-z0-9_]+",
    shard=r"\d+",
    library="|".join(LIBRARIES),
    study="|".join(STUDIES),
    part="[a-z0-9_-]+",


rule all:
    default_target: True
    input:
        expand("results/tables/{table}.csv", table=[*MAIN, "special_values", "atlas"]),
        [f"results/figures/{stem}.png" for stems in FIGURES.values() for stem in stems],


rule quick:
    input:
        expand("results/quick/tables/{table}.csv", table=MAIN),
        [f"results/quick/figures/{stem}.png" for stems in FIGURES.values() for stem in stems],


rule exhaustive:
    input:
        expand("results/tables/{table}.csv", table=[*EXHAUSTIVE, "float8"]),
        expand("results/tables/bounds_{table}.csv", table=EXHAUSTIVE),


rule worst:
    input:
        expand("results/tables/{table}.csv", table=SEARCHES),


rule questions:
    input:
        expand("docs/questions/{study}.md", study=STUDIES),


rule bounds:
    input:
        expand("results/tables/bounds_{table}.csv", table=MAIN),


rule systems:
    input:
        "results/tables/systems.csv",
        "docs/systems.md",
        "docs/findings.md",


rule systems_quick:
    input:
        "results/quick/tables/systems.csv",


for name in EXPERIMENTS:

    rule:
        name:
            name
        input:
            f"results/tables/{name}.csv",
            [f"results/figures/{stem}.png" for stem in FIGURES.get(name, [])],


rule sweep:
    input:
        experiment="experiments/{experiment}.yaml",
        schema="experiments/schema.yaml",
        code=lambda w: CODE["sweep.job", w.experiment],
    output:
        "{root}/summaries/{experiment}.{format}.{shard}.npz",
    log:
        "{root}/logs/sweep.{experiment}.{format}.{shard}.log",
    conda:
        "environment.yaml"
    params:
        grid=lambda w: "--grid quick" if w.root == "results/quick" else "",
    message:
        "Sweep {wildcards.experiment}, {wildcards.format}, shard {wildcards.shard}"
    shell:
        "python -m harness sweep {input.experiment} --format {wildcards.format}"
        " --shard {wildcards.shard} {params.grid} --out {output} 2>&1 | tee {log}"


rule search:
    input:
        experiment="experiments/{experiment}.yaml",
        schema="experiments/schema.yaml",
        code=lambda w: CODE["search.job", w.experiment],
    output:
        "results/searches/{experiment}.{format}.{shard}.json",
    log:
        "results/logs/search.{experiment}.{format}.{shard}.log",
    conda:
        "environment.yaml"
    message:
        "Search {wildcards.experiment}, {wildcards.format}, shard {wildcards.shard}"
    shell:
        "python -m harness search {input.experiment} --format {wildcards.format}"
        " --shard {wildcards.shard} --out {output} > {log} 2>&1"


rule table:
    input:
        experiment="experiments/{experiment}.yaml",
        code=lambda w: CODE["tables.job", w.experiment],
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
    wildcard_constraints:
        experiment="|".join(SWEEPS),
    conda:
        "environment.yaml"
    message:
        "Table of {wildcards.experiment}"
    shell:
        "python -m harness table {input.experiment} {input.summaries} --out {output.csv}" " > {log} 2>&1"


rule search_table:
    input:
        experiment="experiments/{experiment}.yaml",
        code=lambda w: CODE["search.job", w.experiment],
        parts=lambda w: expand(
            "results/searches/{experiment}.{shard}.json",
            experiment=w.experiment,
            shard=SHARDS[w.experiment],
        ),
    output:
        multiext("results/tables/{experiment}", ".md", ".tex", ".json"),
        csv=report(
            "results/tables/{experiment}.csv",
            caption="docs/captions/search.rst",
            category="Tables",
            labels={"experiment": "{experiment}"},
        ),
    log:
        "results/logs/table.{experiment}.log",
    wildcard_constraints:
        experiment="|".join(SEARCHES),
    conda:
        "environment.yaml"
    message:
        "Table of {wildcards.experiment}"
    shell:
        "python -m harness search-table {input.experiment} {input.parts} --out {output.csv}" " > {log} 2>&1"


for name in MAIN:

    rule:
        name:
            f"figures_{name}"
        input:
            experiment=f"experiments/{name}.yaml",
            code=CODE["figures.job", name],
            table=f"{{root}}/tables/{name}.csv",
            summaries=[f"{{root}}/summaries/{name}.{shard}.npz" for shard in SHARDS[name]],
        output:
            [f"{{root}}/figures/{stem}.svg" for stem in FIGURES[name]],
            png=report(
                [f"{{root}}/figures/{stem}.png" for stem in FIGURES[name]],
                caption="docs/captions/figure.rst",
                category="Figures",
                subcategory=name,
            ),
        log:
            f"{{root}}/logs/figures.{name}.log",
        conda:
            "environment.yaml"
        params:
            folder=lambda w: f"{w.root}/figures",
        shell:
            "python -m harness figures {input.experiment} {input.summaries} --table {input.table}"
            " --out {params.folder} > {log} 2>&1"


rule special_values:
    input:
        code=sources(["harness.tables.special_values"]) + KERNELS,
    output:
        multiext("results/tables/special_values", ".md", ".tex", ".json"),
        csv=report(
            "results/tables/special_values.csv",
            caption="docs/captions/special_values.rst",
            category="Tables",
        ),
    log:
        "results/logs/special_values.log",
    conda:
        "environment.yaml"
    message:
        "Table of special values"
    shell:
        "python -m harness special --out {output.csv} > {log} 2>&1"


rule atlas:
    input:
        code=sources(["harness.tables.atlas", "harness.kernels.gradients"]),
        tables=expand("results/tables/{experiment}.csv", experiment=MAIN),
    output:
        multiext("results/tables/atlas", ".md", ".tex", ".json"),
        csv=report(
            "results/tables/atlas.csv",
            caption="docs/captions/atlas.rst",
            category="Tables",
        ),
    log:
        "results/logs/atlas.log",
    conda:
        "environment.yaml"
    message:
        "Atlas"
    shell:
        "python -m harness atlas {input.tables} --out {output.csv} > {log} 2>&1"


rule part:
    input:
        experiment="experiments/{study}.yaml",
        schema="experiments/study_schema.yaml",
        code=lambda w: PART_CODE[w.study],
    output:
        "results/studies/{study}.{part}.json",
    log:
        "results/logs/study.{study}.{part}.log",
    conda:
        "environment.yaml"
    message:
        "Study {wildcards.study}, part {wildcards.part}"
    shell:
        "python -m harness study {input.experiment} --part {wildcards.part} --out {output} 2>&1 | tee {log}"


for name, question in STUDIES.items():

    rule:
        name:
            name
        input:
            experiment=STUDIED[name],
            code=STUDY_CODE[name],
            parts=expand("results/studies/{study}.{part}.json", study=name, part=question.parts),
        output:
            [
                f"results/tables/{table}.{kind}"
                for table in question.tables
                for kind in ("csv", "md", "tex", "json")
            ],
            [f"results/figures/{stem}.{kind}" for stem in question.figures for kind in ("png", "svg")],
            page=f"docs/questions/{name}.md",
        log:
            f"results/logs/page.{name}.log",
        conda:
            "environment.yaml"
        message:
            f"Tables, figures and page of {name}"
        shell:
            "python -m harness page {input.experiment} {input.parts} --results results --out {output.page}"
            " > {log} 2>&1"


for name in [*MAIN, *EXHAUSTIVE]:

    rule:
        name:
            f"bounds_{name}"
        input:
            experiment=f"experiments/{name}.yaml",
            code=sources(["harness.bounds.job", "harness.bounds.figure"], EXPERIMENTS[name]),
            summaries=[f"results/summaries/{name}.{shard}.npz" for shard in SHARDS[name]],
            functions=[
                f"results/summaries/exhaustive_primitives.{shard}.npz"
                for shard in SHARDS["exhaustive_primitives"]
            ],
        output:
            multiext(f"results/tables/bounds_{name}", ".md", ".tex", ".json"),
            [
                f"results/figures/bounds_{name}_{q.name}.{kind}"
                for q in EXPERIMENTS[name].problems
                for kind in ("png", "svg")
            ],
            csv=f"results/tables/bounds_{name}.csv",
        log:
            f"results/logs/bounds.{name}.log",
        conda:
            "environment.yaml"
        params:
            functions=lambda w, input: " ".join(f"--functions {path}" for path in input.functions),
        message:
            f"Bounds of {name}"
        shell:
            "python -m harness bounds {input.experiment} {input.summaries} {params.functions}"
            " --out {output.csv} --figures results/figures > {log} 2>&1"


rule library:
    input:
        code=sources(["harness.systems.job"]) + sorted(map(str, Path("harness/systems").rglob("*.py"))),
    output:
        "{root}/systems/{library}.json",
    log:
        "{root}/logs/systems.{library}.log",
    conda:
        "environment.yaml"
    params:
        grid=lambda w: "quick" if w.root == "results/quick" else "standard",
    message:
        "Systems of {wildcards.library}"
    shell:
        "python -m harness systems {wildcards.library} --grid {params.grid} --out {output} 2>&1 | tee {log}"


rule systems_table:
    input:
        parts=lambda w: expand(
            "{root}/systems/{library}.json",
            root=w.root,
            library=QUICK_LIBRARIES if w.root == "results/quick" else LIBRARIES,
        ),
    output:
        multiext("{root}/tables/systems", ".md", ".tex", ".json"),
        csv=report(
            "{root}/tables/systems.csv",
            caption="docs/captions/systems.rst",
            category="Tables",
        ),
    log:
        "{root}/logs/systems_table.log",
    conda:
        "environment.yaml"
    message:
        "Table of systems"
    shell:
        "python -m harness systems-table {input.parts} --out {output.csv} > {log} 2>&1"


rule systems_pages:
    input:
        parts=expand("results/systems/{library}.json", library=LIBRARIES),
    output:
        "docs/systems.md",
        "docs/findings.md",
        [f"results/figures/{stem}.{kind}" for stem in SYSTEM_FIGURES for kind in ("png", "svg")],
    log:
        "results/logs/systems_pages.log",
    conda:
        "environment.yaml"
    message:
        "Pages and figures of systems"
    shell:
        "python -m harness systems-pages {input.parts} --docs docs --figures results/figures > {log} 2>&1"
