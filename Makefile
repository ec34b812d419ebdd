# Every target sets up what it needs: a virtual environment in this checkout with the versions of constraints.txt.
# Wanted on the machine: Python >= 3.11 with venv, and make.

PYTHON ?= python3
JOBS   ?= 2
ARGS   ?=

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready
DOCS_READY := $(VENV)/.docs-ready

# One BLAS thread in each process: processes scale where threads do not, and sums keep their order.
export OMP_NUM_THREADS      := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS      := 1
export MPLBACKEND           := Agg
export PIP_DISABLE_PIP_VERSION_CHECK  := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export NO_MKDOCS_2_WARNING            := 1

# The demo: the MBL chain with weak bulk dissipation, converged in bond dimension.
DEMO        := runs/demo
DEMO_SYSTEM := mbl-heisenberg -p n=12 -p h=2 -p eps=0.1 --seed 7
DEMO_CHIS   := 16,32,64
DEMO_CHI    := 64

.DEFAULT_GOAL := help
.PHONY: help demo test slow paper manuscript check format bench docs clean distclean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(READY)  ## the main job: convergence, certificate, record, figures, reports (two minutes)
	@mkdir -p $(DEMO)
	$(BIN)/tnness converge $(DEMO_SYSTEM) --chi $(DEMO_CHIS) --out $(DEMO)/convergence.nc --overwrite
	$(BIN)/tnness run $(DEMO_SYSTEM) --chi $(DEMO_CHI) --out $(DEMO)/steady_state.nc --overwrite --quiet
	$(BIN)/tnness plot $(DEMO)/steady_state.nc --out $(DEMO)/steady_state.png
	$(BIN)/tnness report $(DEMO)/convergence.nc --out $(DEMO)/convergence.html --overwrite
	$(BIN)/tnness report $(DEMO)/steady_state.nc --out $(DEMO)/steady_state.html --overwrite
	@printf '\nThe answer:\n\n'
	@$(BIN)/tnness show $(DEMO)/steady_state.nc
	@printf '\nOpen in a browser: %s' $(DEMO)/steady_state.html $(DEMO)/convergence.html
	@printf '\n'

test: $(READY)  ## the whole suite (ARGS='-k ssep' and the like are passed on)
	$(BIN)/pytest -n $(JOBS) $(ARGS)

slow: $(READY)  ## the tests that take minutes each
	$(BIN)/pytest -n $(JOBS) -m slow --timeout 3600 $(ARGS)

paper: $(READY)  ## published numbers at the papers' own size (hours)
	$(BIN)/pytest -n $(JOBS) -m paper --timeout 0 $(ARGS)

manuscript: $(READY)  ## the manuscript on phase III as pages (wants pdflatex and latexmk)
	$(MAKE) -C studies/phase_three/manuscript PYTHON=$(abspath $(BIN)/python)

check: $(READY)  ## format, lint, types, and which way the imports point
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo --no-cache

format: $(READY)  ## rewrite the sources as `make check` wants them
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(READY)  ## this engine against its peers: ratios and errors
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(DOCS_READY)  ## the documentation site, its code executed, into runs/site/index.html
	$(BIN)/mkdocs build --strict
	@printf '\nOpen %s\n' runs/site/index.html

clean:  ## remove caches and built packages; runs/ and .venv stay
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o -type d -name __pycache__ -exec rm -rf {} +

distclean: clean  ## the same, and .venv
	rm -rf $(VENV)

$(READY): pyproject.toml constraints.txt
	@echo 'Setting up $(VENV) (some minutes, once)'
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=...")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(DOCS_READY): $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@
