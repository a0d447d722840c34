PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test setup clean

setup: $(VENV)/.ready

# One stamp: set up again only when the dependencies changed.
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "impasto needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[demo,vgg,dev]'
	touch $@

# mypy finds impasto.<wing> through links, since the wings stand at the top level.
build/typing/impasto:
	mkdir -p $@
	for wing in configs models train export; do ln -sfn ../../../$$wing $@/$$wing; done

test: setup build/typing/impasto
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p impasto.configs -p impasto.models -p impasto.train -p impasto.export
	$(BIN)/mypy tests benchmarks
	$(BIN)/python -m pytest

demo: setup
	$(BIN)/python benchmarks/demo.py

clean:
	rm -rf build .mypy_cache .ruff_cache .pytest_cache
