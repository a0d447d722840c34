PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test tools setup clean

setup: $(VENV)/.ready

# One stamp: set up again only when the dependencies changed.
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "impasto needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[demo,video,vgg,dev]'
	touch $@

# mypy finds impasto.<wing> through links, since the wings stand at the top level.
build/typing/impasto:
	mkdir -p $@
	for wing in configs models train export; do ln -sfn ../../../$$wing $@/$$wing; done

# What the heavy tests and some of the parity checks use: node packages, and ONNX Runtime for arm64.
tools: build/tools/.ready

build/tools/.ready: tests/tools/package.json $(VENV)/.ready
	mkdir -p $(@D)
	cp tests/tools/package.json $(@D)
	npm install --prefix $(@D) --no-package-lock --no-audit --no-fund
	rm -f $(@D)/*.whl
	$(BIN)/python -m pip download --quiet --no-deps --only-binary=:all: --platform manylinux_2_28_aarch64 \
		--dest $(@D) onnxruntime==$$($(BIN)/python -c 'from importlib.metadata import version; print(version("onnxruntime"))')
	touch $@

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
