# Two commands are enough: `make demo` and `make test`. They need Python 3.11 or newer and a package index.
# uv is used where it is installed, otherwise venv and pip; both install the same versions (constraints.txt).

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
UV     := $(shell uv --version >/dev/null 2>&1 && command -v uv)
READY  := $(VENV)/.ready

# uv does not read pip's settings: a folder of wheels that is configured for pip is passed on.
ifneq ($(UV),)
export UV_FIND_LINKS ?= $(or $(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
endif

.PHONY: help setup fmt check test test-all demo bench docs lock
.DEFAULT_GOAL := help

help:  ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

setup: $(READY)  ## make the environment in .venv, once

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "einthoven needs Python 3.11 or newer; name one: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12"; exit 2; }
ifneq ($(UV),)
	$(UV) venv --quiet --allow-existing --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
	$(UV) pip install --quiet --python $(VENV) -c constraints.txt -e '.[train,dev]'
else
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[train,dev]'
endif
	@touch $@

fmt: $(READY)  ## format, and mend what can be mended by itself
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python docs/lines.py

check: $(READY)  ## format, lint, types, and which folder may import which
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m pyright
	$(BIN)/lint-imports

test: $(READY)  ## the fast tests, under six minutes on two cores
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: $(READY)  ## every test that this machine can run
	$(BIN)/python -m pytest -n 2

demo: $(READY)  ## the whole path on generated recordings, to demo/report.html
	$(BIN)/einthoven demo --out demo

bench: $(READY)  ## speed and memory against what one would run instead; NAME=load for some
	$(BIN)/python -m bench $(NAME)

docs: $(READY)  ## the documentation site, in site/
	$(BIN)/zensical build --clean

# The versions of a fresh resolution, for the platform on which they are then tested (Linux, Python 3.11); elsewhere the
# ranges of pyproject.toml hold. torch is held at a version whose build without CUDA is at hand on more machines.
TESTED := sys_platform == "linux" and python_version == "3.11"

lock:  ## renew constraints.txt (needs uv)
	echo 'torch==2.13.0' | uv pip compile pyproject.toml --upgrade --extra train --extra dev -c - --python-version 3.11 \
	  --python-platform linux --no-header --no-annotate --no-emit-index-url --quiet -o constraints.new
	echo '# What the tests run with on Linux and Python 3.11; written by `make lock`. Ranges: pyproject.toml.' > constraints.txt
	grep -v -E '^(nvidia|cuda|triton)' constraints.new | sed -E 's/\+cpu//; s/ *;.*//; s/$$/ ; $(TESTED)/' >> constraints.txt
	rm constraints.new
