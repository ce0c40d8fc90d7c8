PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
MINIMUM := .venv-minimum
MINIMUM_TOOLS := pytest pytest-timeout hypothesis scikit-survival statsmodels openpyxl
# Networks, what trains them, survival, heads, a tiny study. Old versions use what newer ones of their needs deprecate.
MINIMUM_TESTS ?= tests/networks tests/modules tests/training/test_fit.py tests/survival tests/fusion/test_heads.py \
	tests/contracts/test_networks.py tests/e2e/test_study.py

help:  ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP)  ## make .venv from constraints.txt; instant when nothing changed

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $$(command -v $(PYTHON) || command -v python3) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt "$$(grep '^torch==' constraints.txt)"
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup  ## the whole study on the embedded synthetic cohort; prints the report's path
	$(BIN)/glioma-os stage=study experiment=demo

test: setup  ## what CI runs; two processes, each on one core
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: setup  ## end-to-end suites that take minutes
	$(BIN)/python -m pytest -m slow --timeout=3600

$(MINIMUM)/.ready: pyproject.toml constraints-minimum.txt
	@test -x $(MINIMUM)/bin/python || $$(command -v $(PYTHON)) -m venv $(MINIMUM)
	$(MINIMUM)/bin/pip install -q -c constraints-minimum.txt "$$(grep '^torch==' constraints-minimum.txt)"
	$(MINIMUM)/bin/pip install -q -c constraints-minimum.txt -e . $(MINIMUM_TOOLS)
	@touch $@

test-minimum: $(MINIMUM)/.ready  ## a part of the tests with the lowest versions that pyproject.toml allows
	$(MINIMUM)/bin/python -m pytest -W ignore::DeprecationWarning -W ignore::FutureWarning $(MINIMUM_TESTS)

check: setup  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	git ls-files -z | xargs -0 $(BIN)/python -m tests.habits whitespace
	git ls-files -z | xargs -0 $(BIN)/python -m tests.habits large

$(VENV)/.docs: $(STAMP)
	$(BIN)/pip install -q -c constraints.txt -e '.[docs]'
	@touch $@

docs: export NO_MKDOCS_2_WARNING = 1
docs: $(VENV)/.docs  ## the documentation site in build/site; warnings are errors, links are checked
	$(BIN)/mkdocs build --strict --quiet
	@echo build/site/index.html

wheel: setup  ## build the wheel, and run it from an empty folder
	rm -rf dist build/wheel
	$(BIN)/pip wheel -q --no-deps -w dist .
	$(BIN)/python -m zipfile -e dist/*.whl build/wheel
	$(BIN)/python -m tests.wheel build/wheel

$(VENV)/.peers: $(STAMP)
	$(BIN)/pip install -q -c constraints.txt -e '.[bench]'
	$(BIN)/pip install -q -c constraints.txt --no-deps nnunetv2
	@touch $@

bench: $(VENV)/.peers  ## peers and ours side by side, goal by goal
	$(BIN)/python experiments/00_bench/bench.py

clean:  ## remove what runs made; the environment stays
	rm -rf runs store outputs multirun .pytest_cache .ruff_cache .mypy_cache .hypothesis dist build

.PHONY: help setup demo test test-slow test-minimum check docs wheel bench clean
