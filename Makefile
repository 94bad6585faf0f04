# Each target makes the environment it needs. Variables can be set on the command line:
#   PYTHON       interpreter to build the environment with (3.10 to 3.13)
#   VENV         where the environment goes
#   PROCS        visits at once in `make demo`
#   TORCH_INDEX  package index to take torch from. Empty: the one pip is set up with. On Linux the
#                public registry serves a build with several GB of CUDA; name PyTorch's index of
#                CPU builds here to avoid it (its address is on PyTorch's installation page).
#   TORCH_BUILD  cpu or cuda: which of the locked builds of torch goes into the wheelhouse
#   TORCH_WHEELS page or folder with the CPU build of torch, which the public registry has not, for
#                `make lock` and `make wheelhouse`: torch/ below PyTorch's index of CPU builds
PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
TORCH_WHEELS ?=
TORCH_BUILD ?= cpu
CAPS ?= build/demo_caps
# Visits at once in the demonstration, which has four: segmentation keeps one processor busy a visit.
PROCS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1); [ $$n -le 4 ] && echo $$n || echo 4)

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# The locked environment: Linux on x86-64, Python 3.11, all that a hospital runs.
LOCK_TOOLS := cyclonedx-bom==7.5.0 uv==0.13.9
LOCKED_PYTHON ?= python3.11
LOCKED_PIP := $(LOCKED_PYTHON) -m pip --disable-pip-version-check
LOCK := locks/linux-py311
TOOLS := build/tools/bin
COMPILE = $(TOOLS)/uv pip compile --quiet --upgrade --generate-hashes --python-version 3.11 \
	--python-platform x86_64-manylinux_2_28 --no-annotate --custom-compile-command "make lock"
FIND_TORCH = $(if $(TORCH_WHEELS),--find-links $(TORCH_WHEELS))

.DELETE_ON_ERROR:
.PHONY: help demo test bench lint types lock wheelhouse locked sbom clean

help:
	@echo "make demo    run both pipelines on the simulated images of data_ci/"
	@echo "make test    run all tests"
	@echo "make bench   print the ratios of benchmarks/, each against its plain reference"
	@echo "make lint    check style, formatting and spelling"
	@echo "make types   check types on an installed copy"
	@echo "make lock    pin every dependency anew, with checksums, in locks/"
	@echo "make wheelhouse  download what locks/ names to build/wheelhouse, for machines without network"
	@echo "make locked  install from build/wheelhouse, without network, to build/locked, and run doctor"
	@echo "make sbom    write the bill of materials of build/locked to build/sbom.cdx.json"
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
	$(BIN)/clinica run t1-virtual-enhance data_ci/bids_doses $(CAPS) --segmentation none
	@echo
	@echo "Open the reports in a browser: $(CAPS)/gado_qc/t1-gado-removal/report.html"
	@echo "                               $(CAPS)/gado_qc/t1-virtual-enhance/report.html"

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

build/tools/.made: Makefile
	$(LOCKED_PYTHON) -m venv --clear build/tools
	$(TOOLS)/python -m pip --disable-pip-version-check install --quiet $(LOCK_TOOLS)
	@touch $@

# Torch has a file of its own for each build: the other pins are the same for both. The newest antspyx
# is asked for, as pip gets it, or an older one would be taken for the sake of a newer numpy.
lock: build/tools/.made
	mkdir -p build
	echo "$(TORCH)+cpu" > build/torch-cpu.in
	echo "$(TORCH)" > build/torch-cuda.in
	echo "antspyx>=0.6.3" > build/newest.in
	printf '%s\n' pip setuptools wheel > build/build.in
	$(COMPILE) $(FIND_TORCH) setup.cfg build/torch-cpu.in build/newest.in build/build.in --extra train \
		--extra warehouse --no-emit-package torch --output-file $(LOCK).txt
	$(COMPILE) $(FIND_TORCH) build/torch-cpu.in --constraint $(LOCK).txt \
		--output-file $(LOCK)-torch-cpu.txt
	$(COMPILE) build/torch-cuda.in --constraint $(LOCK).txt --output-file $(LOCK)-torch-cuda.txt
	$(COMPILE) build/build.in --constraint $(LOCK).txt --output-file $(LOCK)-build.txt

# Not by --only-binary: docopt and neurosynth, which Clinica needs, are published as sources alone.
wheelhouse:
	rm -rf build/lib build/wheelhouse
	$(LOCKED_PIP) download $(FIND_TORCH) --no-deps --require-hashes --dest build/wheelhouse \
		-r $(LOCK).txt -r $(LOCK)-torch-$(TORCH_BUILD).txt
	$(LOCKED_PIP) wheel --no-deps --wheel-dir build/wheelhouse .

locked:
	PYTHON=$(LOCKED_PYTHON) TORCH_BUILD=$(TORCH_BUILD) \
		sh containers/install.sh locks build/wheelhouse build/locked
	build/locked/bin/clinica-gado doctor

sbom: build/tools/.made
	$(TOOLS)/cyclonedx-py environment --output-reproducible --of JSON \
		--output-file build/sbom.cdx.json build/locked/bin/python

clean:
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache *.egg-info
