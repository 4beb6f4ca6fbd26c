# Everything a developer does, from a fresh clone with Python 3.11 or later, make and git: `make help`.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
UV_VERSION := 0.13.8
BIN := .venv/bin
READY := .venv/.ready
PEERS := .venv-peers
WORKERS ?= 2
SERVE ?= 1

# One thread per process: the tests run in several, and a library that starts a thread per core would fight the others.
SINGLE := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1 RAYON_NUM_THREADS=1
PYTEST := $(SINGLE) ARPENT_SKIPS=$(CURDIR)/.venv/skips $(BIN)/python scripts/offline.py $(BIN)/pytest -q \
	--durations=10 --durations-min=5
BESIDE := "not alone and not faults"
# Importing the other files of tests would take as long as these tests do.
ALONE = $(shell grep -rlE --include='test_*.py' 'mark\.alone\b' tests)

.PHONY: help demo test faults lint types arch bench bench-peers docs lock lock-peers lowest pictures reference \
	wheel clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment is made once, and again when the lock or the packaging changes. Every package is checked by hash.
$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Arpent needs Python 3.11 or later: install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip --upgrade >/dev/null # one made by uv has no pip
	@$(BIN)/python -c 'import uv' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@echo "Installing the locked packages into .venv (some gigabytes the first time)…"
	@$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY) ## all five capabilities on a synthetic commune, and the results on a map in the browser (SERVE=0: no map)
	@$(BIN)/arpent demo
	@test "$(SERVE)" = 0 || $(BIN)/arpent map serve arpent-demo

test: $(READY) ## all tests, offline; ends with the skips by reason (COVER=1: with coverage, which takes half as long again)
	@rm -f .venv/skips; $(BIN)/coverage erase
	@$(PYTEST) $(if $(COVER),--cov --cov-report= --cov-fail-under=0) -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m $(BESIDE) || \
		{ echo "What failed, once more and by itself: a test that fails beside others only is named above, and ends nothing."; \
		$(PYTEST) --last-failed --last-failed-no-failures none -m $(BESIDE); }
	@rm -f .coverage.* # what tests killed in the middle of a write has left
	@$(PYTEST) -m alone $(ALONE) # they measure time, which a tracer would add to
	@$(if $(COVER),$(BIN)/coverage report)
	@if test -s .venv/skips; then echo "Skipped, by reason:"; sort .venv/skips | uniq -c; else echo "Nothing was skipped."; fi

faults: $(READY) ## kills at random moments, storage errors and thousands of broken files; takes an hour on two cores
	@$(PYTEST) -m faults

lint: $(READY) ## style and mistakes
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: $(READY) ## mypy, strict
	@$(BIN)/mypy

arch: $(READY) ## import contracts, budgets, documentation that cannot lie
	@$(SINGLE) $(BIN)/pytest -q tests/architecture tests/docs

bench: $(READY) ## every benchmark, one after the other; prints medians and ratios
	@for script in $(filter-out bench/peers.py,$(wildcard bench/*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# Other programs want other versions than Arpent does, and some gigabytes: they have an environment of their own.
$(PEERS)/.ready: $(READY) bench/peer_ways/requirements.txt
	@test -x $(PEERS)/bin/python || $(BIN)/python -m venv --without-pip $(PEERS)
	@echo "Installing other programs into $(PEERS)…"
	@$(BIN)/python -m uv pip install --quiet --python $(PEERS)/bin/python -r bench/peer_ways/requirements.txt
	@touch $@

bench-peers: $(PEERS)/.ready ## the same work by other programs, side by side (QUICK=1: small sizes, to see that it runs)
	@PYTHONPATH=src $(PEERS)/bin/python bench/peers.py $(if $(QUICK),--quick --rounds 1)

docs: $(READY) reference ## the documentation, into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir site && echo "site/index.html"

pictures: $(READY) ## make the pictures of the documentation anew
	@$(BIN)/arpent demo --quiet && $(BIN)/python scripts/pictures.py arpent-demo

reference: $(READY) ## regenerate docs/reference from the code
	@$(BIN)/python scripts/reference.py

lock: $(READY) ## resolve requirements.lock anew from pyproject.toml
	@$(BIN)/python -m uv pip compile pyproject.toml --quiet --universal --generate-hashes --all-extras --group dev \
		--python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header -o requirements.lock

lock-peers: $(READY) ## resolve bench/peer_ways/requirements.txt anew, with the versions of requirements.lock
	@$(BIN)/python -m uv pip compile bench/peer_ways/requirements.in pyproject.toml --quiet --constraint requirements.lock \
		--extra learn --extra web --extra fast --python-version 3.11 --no-annotate --no-emit-index-url \
		--no-emit-find-links --no-header -o bench/peer_ways/requirements.txt

wheel: $(READY) ## build both packages, try the wheel without torch (WHOLE=1: with all; ON=python3.13: on that Python)
	@$(BIN)/python scripts/wheel_check.py $(if $(WHOLE),--whole) $(if $(ON),--python $(ON))

lowest: $(READY) ## the wheel with all parts in the lowest versions that pyproject.toml allows; some gigabytes of packages
	@$(BIN)/python scripts/wheel_check.py --lowest --whole $(if $(ON),--python $(ON))

clean: ## remove what was made here, the environment included
	@rm -rf .venv $(PEERS) dist arpent-demo site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.*
