# Each target makes the environment it needs. Variables can be set on the command line:
#   PYTHON       interpreter to build the environment with (3.10 to 3.13)
#   VENV         where the environment goes
#   PROCS        visits at once in `make demo`
#   TORCH_INDEX  package index to take torch from. Empty: the one pip is set up with. On Linux the
#                public registry serves a build with several GB of CUDA; name PyTorch's index of
#                CPU builds here to avoid it (its address is on PyTorch's installation page).
PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
CAPS ?= build/demo_caps
# Visits at once in the demonstration, which has four: segmentation keeps one processor busy a visit.
PROCS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1); [ $$n -le 4 ] && echo $$n || echo 4)

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DELETE_ON_ERROR:
.PHONY: help demo test bench lint types clean

help:
	@echo "make demo    run t1-gado-removal on the simulated dataset of data_ci/"
	@echo "make test    run all tests"
	@echo "make bench   print the ratios of benchmarks/, each against its plain reference"
	@echo "make lint    check style, formatting and spelling"
	@echo "make types   check types on an installed copy"
	@echo "make clean   delete the environment, build/ and caches"

# Stamps: a second call installs nothing unless the metadata changed.
$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	@touch $@

$(VENV)/.test: $(VENV)/.made setup.cfg pyproject.toml
	$(PIP) install --quiet --editable ".[test]"
	@touch $@

$(VENV)/.dev: $(VENV)/.test
	$(PIP) install --quiet --editable ".[dev]"
	@touch $@

demo: $(VENV)/.test
	$(BIN)/clinica run t1-gado-removal data_ci/bids $(CAPS) -np $(PROCS)
	@echo
	@echo "Open the report in a browser: $(CAPS)/gado_qc/t1-gado-removal/report.html"

test: $(VENV)/.test
	$(BIN)/python -m pytest tests

bench: $(VENV)/.test
	@set -e; for benchmark in benchmarks/[!_]*.py; do echo "== $$benchmark"; $(BIN)/python $$benchmark; done

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

# mypy follows neither the editable finder nor the folder mapping: give it an installed copy.
types: $(VENV)/.dev
	rm -rf build/lib build/types
	$(PIP) install --quiet --no-deps --target build/types .
	MYPYPATH=build/types $(BIN)/mypy

clean:
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache *.egg-info
