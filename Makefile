PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# Workers of pytest-xdist; each runs its tests on one core. WORKERS=0 runs them in one process.
WORKERS ?= auto
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 8 --dist worksteal

.PHONY: check test demo docs dist setup tools web lint types test-all clean

setup: $(VENV)/.ready

# One stamp: set up again only when the dependencies changed.
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "impasto needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

# What the heavy tests and some of the parity checks use: node packages, QNN, and ONNX Runtime for arm64.
tools: build/tools/.ready

build/tools/.ready: tests/tools/package.json $(VENV)/.ready
	mkdir -p $(@D)
	cp tests/tools/package.json $(@D)
	npm install --prefix $(@D) --no-package-lock --no-audit --no-fund
	$(BIN)/python -m pip install --quiet --editable '.[qnn]'
	rm -f $(@D)/*.whl
	$(BIN)/python -m pip download --quiet --no-deps --only-binary=:all: --platform manylinux_2_28_aarch64 \
		--dest $(@D) onnxruntime==$$($(BIN)/python -c 'from importlib.metadata import version; print(version("onnxruntime"))')
	touch $@

# The runtimes of the page, which the wheel and the sdist carry; a checkout without them takes those of build/tools.
web: build/tools/.web

build/tools/.web: build/tools/.ready export/web/engine/runtime.json
	$(BIN)/python -m impasto.export.webapp.runtime build/tools
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: setup
	$(BIN)/mypy -p impasto -p tests -p benchmarks

# Before each commit: about 2 minutes on two cores.
check: lint types
	$(PYTEST) -m 'not slow and not heavy'

# Before each merge: about 6 minutes on two cores.
test: lint types
	$(PYTEST) -m 'not heavy'

# All of them; .ci/run installs what the heavy ones need.
test-all: lint types
	$(PYTEST)

# Train a network for 4 minutes, export, verify and apply it.
demo: setup
	$(BIN)/python benchmarks/demo.py

# The site, in site/.
docs: setup
	$(BIN)/mkdocs build --strict

# The sdist and the wheel that is built from it, in dist/, and the wheel at work in an environment of its own.
# WEB= builds them without the runtimes of the page, where npm is not installed; do not publish such a wheel.
WEB ?= web
dist: setup $(WEB)
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python -m tests.smoke dist/*.whl

clean:
	rm -rf build dist site export/web/runtime .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
