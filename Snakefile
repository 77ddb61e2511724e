# Experiments sweep kernels over grids, make tables of their errors, and draw them.
# experiments/*.yaml say what, harness/ says how; here is which file is made of which.
# First what can be asked for, then the rules in the order in which data flow.

import shlex
import sys
from pathlib import Path

from harness.figures.catalogue import figure_names
from harness.studies import study
from harness.systems.pages import FIGURES as SYSTEM_FIGURES
from harness.systems.exhaustive.calls import SHARDS as GROUP_SHARDS
from harness.systems.exhaustive.calls import groups, kind_of
from harness.systems.job import measuring as systems_code
from harness.systems.pages.known import checksum_beside
from harness.systems.registry import libraries
from harness.tables.strongest import beyond_samples, checksums, checksums_beside
from harness.testing.vectors import job as vectors_made
from harness.workflow import experiments, files
from harness.workflow.dependencies import kernel_sources, sources
from harness.workflow.progress import tell_time_left

# Rules run the Python that runs Snakemake, whatever is on PATH; with --sdm conda, that of their environment.
if not workflow.deployment_settings.deployment_method:
    shell.prefix(f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; ")


onstart:
    tell_time_left(logger)


# What is committed is an update() of what is there: Snakemake deletes other outputs before a job runs, and with them the
# tables, if the job then fails.  A stage writes all its files or none, and reads none of its own.

# ---- what there is: one file each ---------------------------------------------------------------------------

SWEPT, STUDIED = experiments.files(Path("experiments"))
EXPERIMENTS = {name: experiments.load(path) for name, path in SWEPT.items()}
STUDIES = {name: study.load(path) for name, path in STUDIED.items()}
SEARCHES = [name for name, e in EXPERIMENTS.items() if e.search]
SWEEPS = [name for name in EXPERIMENTS if name not in SEARCHES]
MAIN = [name for name in SWEEPS if EXPERIMENTS[name].main]
EXHAUSTIVE = [name for name in SWEEPS if EXPERIMENTS[name].grid == "exhaustive"]
BOUNDED = [name for name in SWEEPS if EXPERIMENTS[name].bounds]
LIBRARIES = [library.name for library in libraries()]
LIBRARY_GROUPS = groups()
NOTHING = "(?!)"  # a pattern that no name is like: without one, a rule would take any
QUICK_LIBRARIES = [library.name for library in libraries() if library.quick]

# ---- what is made of each, below results/ or results/quick/ -------------------------------------------------

FORMS = ["csv", "md", "tex", "json"]
IMAGES = ["png", "svg"]
SHARDS = {
    name: [f"{f.name}.{i}" for f in e.formats for i in range(e.shards_of(f.name))]
    for name, e in EXPERIMENTS.items()
}
MEASURED = {
    **{name: [f"summaries/{name}.{shard}.npz" for shard in SHARDS[name]] for name in SWEEPS},
    **{name: [f"searches/{name}.{shard}.json" for shard in SHARDS[name]] for name in SEARCHES},
    **{name: [f"studies/{name}.{part}.json" for part in s.parts] for name, s in STUDIES.items()},
}
FIGURES = {name: figure_names(e) for name, e in EXPERIMENTS.items() if e.figures}
BOUND_FIGURES = {name: [f"bounds_{name}_{q.name}" for q in EXPERIMENTS[name].problems] for name in BOUNDED}
# Who asks for tables and figures asks for the measurements that they are made of.  A fresh clone has the ones, which
# are committed, and not the others, which are too large: so all are made there, and none is taken as made.
MADE = {
    name: [
        *MEASURED[name],
        f"tables/{name}.csv",
        *[f"figures/{stem}.png" for stem in FIGURES.get(name, [])],
    ]
    for name in EXPERIMENTS
}
MADE_BOUNDS = {
    name: [*MEASURED[name], *MEASURED[EXPERIMENTS[name].bounds["functions"]], f"tables/bounds_{name}.csv"]
    for name in BOUNDED
}
# Special values take a second and leave no measurements: this stands for them.
MADE_SPECIAL = ["summaries/special_values.made", "tables/special_values.csv"]
MADE_ATLAS = [f for name in MAIN for f in MADE[name]] + ["tables/atlas.csv"]
VECTORS = [f"{problem}.{fmt}" for problem in vectors_made.PROBLEMS for fmt in vectors_made.FORMATS]
# The page that people open first, and of what it is made besides: any table or page that there is.
REPORT = "results/report/index.html"
MADE_MAIN = [f"results/tables/{name}.csv" for name in [*MAIN, "atlas"]]

# ---- the code that each stage runs: an edit reruns the stages that depend on it, and nothing else -----------

CODE = {
    (stage, name): sources([f"harness.{stage}"], e)
    for stage in ("sweep.job", "search.job", "search.table", "tables.job", "figures.job", "bounds.job")
    for name, e in EXPERIMENTS.items()
}


def stronger_than_samples(folder, but):
    """Return name and checksum of each table of a folder that is of every input or of a search, one left out."""
    return [" ".join(pair) for pair in checksums(beyond_samples(folder, but)).items()]


def tables_beside(names):
    """Return what gives name and checksum of each contract's table that is none of these, once a job needs it."""
    paths = [Path(f"results/tables/{name}.csv") for name in names]
    return lambda w: [" ".join(pair) for pair in checksums_beside(paths).items()]


def vector_tables(wildcards):
    """Return name and checksum of each table whose inputs are candidates of golden vectors, once the job needs it."""
    paths = [Path(f"results/tables/{name}.csv") for name in vectors_made.TABLES]
    return [" ".join(pair) for pair in checksums([p for p in paths if p.is_file()]).items()]


# The page needs the atlas, the atlas all tables, and these all sweeps: figures, which nothing needs, fill a core while
# the other makes what stands last.
FIRST = 1

# Studies, special values and the atlas may use any kernel; a page's form does not touch its study's parts.
KERNELS = kernel_sources()
PART_CODE = {name: question.measuring for name, question in STUDIES.items()}
PAGE_CODE = {
    name: sources(
        [f"harness.studies.{m}" for m in ("job", f"{name}.measure", f"{name}.tables", f"{name}.figures")]
    )
    + KERNELS
    for name in STUDIES
}


wildcard_constraints:
    root="results|results/quick",
    experiment="|".join(EXPERIMENTS),
    format="[a-z0-9_]+",
    shard=r"\d+",
    library="|".join(LIBRARIES),
    group="|".join(LIBRARY_GROUPS),
    study="|".join(STUDIES),
    part="[a-z0-9_-]+",


# ---- what can be asked for ----------------------------------------------------------------------------------


rule all:
    default_target: True
    input:
        expand("results/{file}", file=[*MADE_ATLAS, *MADE_SPECIAL]),
        REPORT,


rule report:
    input:
        REPORT,


rule quick:
    input:
        expand("results/quick/{file}", file=[f for name in MAIN for f in MADE[name]]),


rule exhaustive:
    input:
        expand("results/{file}", file=[f for name in EXHAUSTIVE for f in MADE[name]]),
        expand("results/{file}", file=[f for name in EXHAUSTIVE for f in MADE_BOUNDS.get(name, [])]),


rule worst:
    input:
        expand("results/{file}", file=[f for name in SEARCHES for f in MADE[name]]),


rule bounds:
    input:
        expand("results/{file}", file=[f for name in MAIN for f in MADE_BOUNDS.get(name, [])]),


rule questions:
    input:
        expand("results/{file}", file=[f for name in STUDIES for f in MEASURED[name]]),
        expand("docs/questions/{study}.md", study=STUDIES),


rule systems:
    input:
        expand("results/systems/{library}.json", library=LIBRARIES),
        "results/tables/systems.csv",
        "results/tables/systems_special.csv",
        "results/tables/systems_probes.csv",
        "docs/systems.md",
        "docs/findings.md",


rule systems_exhaustive:
    input:
        [
            f"results/systems_exhaustive/{group}.{shard}.npz"
            for group in LIBRARY_GROUPS
            for shard in range(GROUP_SHARDS[kind_of(group)])
        ],
        "results/tables/systems_exhaustive.csv",


rule systems_quick:
    input:
        "results/quick/tables/systems.csv",


rule atlas:
    input:
        expand("results/{file}", file=MADE_ATLAS),


for name in EXPERIMENTS:

    rule:
        name:
            name
        input:
            expand("results/{file}", file=MADE[name]),


for name in BOUNDED:

    rule:
        name:
            f"bounds_{name}"
        input:
            expand("results/{file}", file=MADE_BOUNDS[name]),


for name in STUDIES:

    rule:
        name:
            name
        input:
            expand("results/{file}", file=MEASURED[name]),
            f"docs/questions/{name}.md",


# ---- experiments that sweep: summaries, tables, figures, bounds ---------------------------------------------


rule sweep:
    input:
        experiment="experiments/{experiment}.yaml",
        schema="experiments/schema.yaml",
        code=lambda w: CODE["sweep.job", w.experiment],
    output:
        "{root}/summaries/{experiment}.{format}.{shard}.npz",
    log:
        "{root}/logs/sweep.{experiment}.{format}.{shard}.log",
    priority: FIRST
    conda:
        "environment.yaml"
    params:
        grid=lambda w: "--grid quick" if w.root == "results/quick" else "",
    message:
        "Sweep {wildcards.experiment}, {wildcards.format}, shard {wildcards.shard}"
    shell:
        "python -m harness sweep {input.experiment} --format {wildcards.format}"
        " --shard {wildcards.shard} {params.grid} --out {output} 2>&1 | tee {log}"


rule table:
    input:
        experiment="experiments/{experiment}.yaml",
        code=lambda w: CODE["tables.job", w.experiment],
        summaries=lambda w: expand("{root}/{file}", root=w.root, file=MEASURED[w.experiment]),
    output:
        update(multiext("{root}/tables/{experiment}", ".md", ".tex", ".json")),
        csv=report(
            update("{root}/tables/{experiment}.csv"),
            caption="docs/captions/table.rst",
            category="Tables",
            labels={"experiment": "{experiment}"},
        ),
    log:
        "{root}/logs/table.{experiment}.log",
    wildcard_constraints:
        experiment="|".join(SWEEPS) or NOTHING,
    priority: FIRST
    conda:
        "environment.yaml"
    params:
        # A sample's cures are chosen by what sweeps over every input and searches know.  They are no inputs, or the main
        # tables would ask for hours of them; their checksums rerun what is made of samples.
        stronger=lambda w: (
            [] if w.experiment in EXHAUSTIVE else stronger_than_samples(Path(w.root, "tables"), w.experiment)
        ),
    message:
        "Table of {wildcards.experiment}"
    shell:
        "python -m harness table {input.experiment} {input.summaries} --out {output.csv}" " > {log} 2>&1"


for name in FIGURES:

    rule:
        name:
            f"figures_{name}"
        input:
            experiment=f"experiments/{name}.yaml",
            code=CODE["figures.job", name],
            table=f"{{root}}/tables/{name}.csv",
            summaries=[f"{{root}}/{file}" for file in MEASURED[name]],
        output:
            update([f"{{root}}/figures/{stem}.svg" for stem in FIGURES[name]]),
            png=report(
                update([f"{{root}}/figures/{stem}.png" for stem in FIGURES[name]]),
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
        message:
            f"Figures of {name}"
        shell:
            "python -m harness figures {input.experiment} {input.summaries} --table {input.table}"
            " --out {params.folder} > {log} 2>&1"


for name in BOUNDED:

    rule:
        name:
            f"bounds_table_{name}"
        input:
            experiment=f"experiments/{name}.yaml",
            code=CODE["bounds.job", name],
            summaries=expand("results/{file}", file=MEASURED[name]),
            functions=expand("results/{file}", file=MEASURED[EXPERIMENTS[name].bounds["functions"]]),
        output:
            update(multiext(f"results/tables/bounds_{name}", ".md", ".tex", ".json")),
            update(expand("results/figures/{stem}.{kind}", stem=BOUND_FIGURES[name], kind=IMAGES)),
            csv=update(f"results/tables/bounds_{name}.csv"),
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


# ---- experiments that search: the worst inputs, and their table ----------------------------------------------


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


rule search_table:
    input:
        experiment="experiments/{experiment}.yaml",
        code=lambda w: CODE["search.table", w.experiment],
        parts=lambda w: expand("results/{file}", file=MEASURED[w.experiment]),
    output:
        update(multiext("results/tables/{experiment}", ".md", ".tex", ".json")),
        csv=report(
            update("results/tables/{experiment}.csv"),
            caption="docs/captions/search.rst",
            category="Tables",
            labels={"experiment": "{experiment}"},
        ),
    log:
        "results/logs/table.{experiment}.log",
    wildcard_constraints:
        experiment="|".join(SEARCHES) or NOTHING,
    conda:
        "environment.yaml"
    message:
        "Table of {wildcards.experiment}"
    shell:
        "python -m harness search-table {input.experiment} {input.parts} --out {output.csv}" " > {log} 2>&1"


# ---- every kernel: special values, and the atlas of the main experiments -------------------------------------


rule special_values:
    input:
        code=sources(["harness.tables.special_values"]) + KERNELS,
    output:
        update(multiext("results/tables/special_values", ".md", ".tex", ".json")),
        csv=report(
            update("results/tables/special_values.csv"),
            caption="docs/captions/special_values.rst",
            category="Tables",
        ),
        made=touch(f"results/{MADE_SPECIAL[0]}"),
    log:
        "results/logs/special_values.log",
    conda:
        "environment.yaml"
    message:
        "Table of special values"
    shell:
        "python -m harness special --out {output.csv} > {log} 2>&1"


rule vectors:
    input:
        code=sources(["harness.testing.vectors.job"]) + KERNELS,
    output:
        update(expand("results/vectors/{stem}.{kind}", stem=VECTORS, kind=["csv", "parquet"])),
        update(multiext("results/vectors/kills", ".md", ".tex", ".json")),
        kills=update("results/vectors/kills.csv"),
    log:
        "results/logs/vectors.log",
    conda:
        "environment.yaml"
    params:
        # Their candidates are inputs that tables name.  The tables are no inputs, or vectors would ask for hours of sweeps;
        # their checksums rerun them.
        tables=vector_tables,
    message:
        "Golden vectors"
    shell:
        "python -m harness vectors results/tables --out results/vectors > {log} 2>&1"


rule atlas_table:
    input:
        code=sources(["harness.tables.atlas", "harness.kernels.gradients"]),
        tables=expand("results/tables/{experiment}.csv", experiment=MAIN),
    output:
        update(multiext("results/tables/atlas", ".md", ".tex", ".json")),
        csv=report(
            update("results/tables/atlas.csv"),
            caption="docs/captions/atlas.rst",
            category="Tables",
        ),
    log:
        "results/logs/atlas.log",
    priority: FIRST
    conda:
        "environment.yaml"
    params:
        # What other tables beside these know better is taken from them: not as inputs, or the atlas would ask for two
        # hours of sweeps.  Their checksums rerun it where one of them is made anew.
        beside=lambda w, input: [" ".join(pair) for pair in checksums_beside(map(Path, input.tables)).items()],
    message:
        "Atlas"
    shell:
        "python -m harness atlas {input.tables} --out {output.csv} > {log} 2>&1"


# ---- studies: their parts, and the page of each with its tables and figures ----------------------------------


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
            f"page_{name}"
        input:
            experiment=STUDIED[name],
            code=PAGE_CODE[name],
            parts=expand("results/{file}", file=MEASURED[name]),
        output:
            update(expand("results/tables/{table}.{kind}", table=question.tables, kind=FORMS)),
            update(expand("results/figures/{stem}.{kind}", stem=question.figures, kind=IMAGES)),
            page=update(f"docs/questions/{name}.md"),
        log:
            f"results/logs/page.{name}.log",
        conda:
            "environment.yaml"
        params:
            # As with the atlas: the answer speaks from the strongest that any table knows.
            beside=tables_beside(question.tables),
        message:
            f"Tables, figures and page of {name}"
        shell:
            "python -m harness page {input.experiment} {input.parts} --results results --out {output.page}"
            " > {log} 2>&1"


# ---- real libraries: what their own losses return, and what users should know of it --------------------------


rule library:
    input:
        code=systems_code(),
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
        update(multiext("{root}/tables/systems", ".md", ".tex", ".json")),
        update(multiext("{root}/tables/systems_special", ".csv", ".md", ".tex", ".json")),
        update(multiext("{root}/tables/systems_probes", ".csv", ".json")),
        csv=report(
            update("{root}/tables/systems.csv"),
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
        table="results/tables/systems.csv",
        probes="results/tables/systems_probes.csv",
    output:
        update("docs/systems.md"),
        update("docs/findings.md"),
        update(expand("results/figures/{stem}.{kind}", stem=SYSTEM_FIGURES, kind=IMAGES)),
    log:
        "results/logs/systems_pages.log",
    conda:
        "environment.yaml"
    params:
        # The pages speak from every float32 input where that was swept: not as an input, or they would ask for an hour.
        beside=lambda w, input: checksum_beside(Path(input.table)),
    message:
        "Pages and figures of systems"
    shell:
        "python -m harness systems-pages {input.table} --docs docs --figures results/figures > {log} 2>&1"


rule systems_sweep:
    input:
        code=sources(["harness.systems.exhaustive.job"]),
    output:
        "results/systems_exhaustive/{group}.{shard}.npz",
    log:
        "results/logs/systems_sweep.{group}.{shard}.log",
    conda:
        "environment.yaml"
    # One library computes while what the one before returned is measured.
    threads: 2
    message:
        "Every float32 input through the libraries of {wildcards.group}, shard {wildcards.shard}"
    shell:
        "python -m harness systems-sweep {wildcards.group} --shard {wildcards.shard} --out {output} 2>&1 | tee {log}"


rule systems_rows:
    input:
        summaries=lambda w: expand(
            "results/systems_exhaustive/{group}.{shard}.npz",
            group=w.group,
            shard=range(GROUP_SHARDS[kind_of(w.group)]),
        ),
    output:
        "results/systems_exhaustive/{group}.{library}.json",
    log:
        "results/logs/systems_rows.{group}.{library}.log",
    conda:
        "environment.yaml"
    message:
        "Rows of {wildcards.library}, every float32 input"
    shell:
        "python -m harness systems-rows {wildcards.library} {input.summaries} --out {output} > {log} 2>&1"


rule systems_exhaustive_table:
    input:
        parts=[
            f"results/systems_exhaustive/{group}.{library}.json"
            for group, members in LIBRARY_GROUPS.items()
            for library in members
        ],
    output:
        update(multiext("results/tables/systems_exhaustive", ".md", ".tex", ".json")),
        csv=report(
            update("results/tables/systems_exhaustive.csv"),
            caption="docs/captions/systems.rst",
            category="Tables",
        ),
    log:
        "results/logs/systems_exhaustive_table.log",
    conda:
        "environment.yaml"
    message:
        "Table of systems, every float32 input"
    shell:
        "python -m harness systems-exhaustive-table {input.parts} --out {output.csv} > {log} 2>&1"


# ---- the report: one page of everything ---------------------------------------------------------------------


rule report_page:
    input:
        code=sources(["harness.report.job"]) + sorted(map(str, Path("harness/report/page").iterdir())),
        experiments=[SWEPT[name] for name in MAIN],
        tables=MADE_MAIN,
        summaries=expand("results/{file}", file=[f for name in MAIN for f in MEASURED[name]]),
    output:
        REPORT,
    log:
        "results/logs/report.log",
    priority: FIRST
    conda:
        "environment.yaml"
    params:
        # All other tables and the pages are taken as they are, not as inputs: the page would ask for hours of sweeps and
        # for every library.  Their checksums make it anew where one of them is.
        beside=lambda w, input: [
            f"{path} {files.sha256(path)}"
            for pattern in ("results/tables/*.csv", "docs/questions/*.md", "docs/findings.md")
            for path in sorted(Path().glob(pattern))
            if str(path) not in input.tables
        ],
        folder=lambda w, output: str(Path(output[0]).parent),
    message:
        "Report: the page to open first"
    shell:
        "python -m harness report {input.experiments} --out {params.folder} > {log} 2>&1"
