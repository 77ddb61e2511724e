# Everything runs in .venv, made here with the versions and hashes in requirements/; nothing else on the machine changes.
# Needs Python 3.11 or newer with its venv module; another Python: make PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
# $(CURDIR)/.venv/bin goes in front for recipes only: the Python that makes .venv must come from outside it.
RUN := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: results report quick exhaustive questions systems systems_quick docs crate test mutants lint format clean help
.DELETE_ON_ERROR:
.DEFAULT_GOAL := results

results: .venv/.with-core  ## Tables and figures of every kernel in every format, into results/ (the default)
	$(call workflow,all)
	$(call open_first,results)

report: .venv/.with-core  ## The page to open first, results/report/index.html: made of all tables that there are
	$(call workflow,report)
	$(call open_first,results)

quick: .venv/.with-core  ## The same on a coarse grid, into results/quick/
	$(call workflow,quick)
	$(call open_first,results/quick)

exhaustive: .venv/.with-core  ## Every float32 input: takes two hours
	$(call workflow,exhaustive)
	$(call open_first,results)

questions: .venv/.with-questions  ## The questions practitioners ask, each with its page in docs/questions/
	$(call workflow,questions)
	$(call open_first,results,docs/questions)

systems: .venv/.with-systems  ## The losses of Keras, TensorFlow, PyTorch, JAX and others: installs about 4 GB
	$(call workflow,systems)
	$(call open_first,results,docs/systems.md)

systems_quick: .venv/.with-systems  ## The same on a coarse grid, into results/quick/
	$(call workflow,systems_quick)
	$(call open_first,results/quick)

docs: .venv/.with-docs  ## The documentation as a site, into docs/_build/
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -b html -d docs/_build/doctrees docs docs/_build/html
	$(call open_first,results,docs/_build/html/index.html)

crate: .venv/.with-crate  ## Describe results/ as an RO-Crate, results/ro-crate-metadata.json
	$(RUN)/python docs/crate.py

test: .venv/.with-test  ## Run the tests
	$(RUN)/python -m pytest -n 2 --dist loadfile

mutants: .venv/.with-mutants  ## Plant every small slip into the numerical core and see the tests notice: up to an hour
	$(RUN)/python benchmarks/mutants.py

lint: .venv/.with-test  ## Check style, types and the workflow; changes nothing
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --quiet --diff
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile
	$(RUN)/snakemake --lint

format: .venv/.with-test  ## Rewrite the sources in the project's style
	$(BIN)/ruff check --quiet --fix-only
	$(BIN)/ruff format --quiet
	$(BIN)/snakefmt Snakefile

clean:  ## Remove .venv, caches, and all results but the committed tables and figures
	rm -rf .venv .snakemake .hypothesis .mypy_cache .pytest_cache .ruff_cache build docs/_build *.egg-info
	rm -rf results/figures/*.pdf results/summaries results/searches results/studies results/systems results/systems_exhaustive results/logs results/quick results/report
	find . -name __pycache__ -prune -exec rm -rf {} +

help:  ## Show this list
	@awk -F ':.*  ## ' '/^[a-z_]+:.*  ## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile

# ---- installation -------------------------------------------------------------------------------------

# One stamp for each set of packages; a changed dependency or version installs it again.  What is installed has the hashes
# that requirements/ names.  What builds comes first, so that nothing is built by what has none: one package of the set core
# has sources only, and the project itself is built last.
define install
@$(BIN)/python -m pip install -qq --require-hashes -r requirements/build.txt
@$(BIN)/python -m pip install -qq --require-hashes --no-build-isolation -r requirements/$(1).txt
@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e .
endef

.venv/.with-core: .venv/.made pyproject.toml requirements/core.txt
	@echo "Installing the harness into .venv"
	$(call install,core)
	@touch $@

# A library's build without CUDA has other hashes than that with it: versions alone are fixed (requirements/renew.py).
.venv/.with-systems: .venv/.made pyproject.toml constraints.txt
	@echo "Installing the harness with its extra 'systems' into .venv"
	@$(BIN)/python -m pip install -qq -c constraints.txt -e '.[systems]'
	@touch $@

.venv/.with-%: .venv/.made pyproject.toml requirements/core.txt requirements/%.txt
	@echo "Installing the harness with its extra '$*' into .venv"
	$(call install,$*)
	@touch $@

# The stamp holds the folder's place: a .venv that was copied or moved still runs the old folder's code,
# and one whose Python is gone runs nothing, so both are made anew.
ifneq ($(shell test -x $(BIN)/python && cat .venv/.made),$(CURDIR))
.PHONY: .venv/.made
endif
.venv/.made:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, not " + \
	    sys.version.split()[0] + "; name one: make PYTHON=python3.12")'
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@echo "$(CURDIR)" > $@

# ---- workflow -----------------------------------------------------------------------------------------

define workflow
@$(BIN)/python -c "$$CLEAR_STALE_LOCK"
@$(RUN)/snakemake $(1)
endef

define open_first
@echo "Open first:"
@for f in $(1)/report/index.html $(1)/tables/atlas.md $(1)/figures $(2); do \
    if [ -e $$f ]; then echo "  $$f"; fi; done
endef

# A killed Snakemake leaves its lock behind.  The lock goes only if no Snakemake works in this folder.
# ASSUME: a folder on a shared disk is worked in from one machine at a time.
define CLEAR_STALE_LOCK
import os, pathlib, psutil
locks = list(pathlib.Path(".snakemake/locks").glob("*.lock"))
live = locks and [
    p.pid for p in psutil.process_iter(["cwd", "cmdline"])
    if p.info["cwd"] == os.getcwd()
    and "snakemake" in [os.path.basename(word) for word in (p.info["cmdline"] or [])[:3]]
]
if locks and not live:
    for lock in locks:
        lock.unlink(missing_ok=True)
    print("Removed the lock of a run that was killed")
endef
export CLEAR_STALE_LOCK
