# The four commands: make install, make check, make test, make demo.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export HF_HUB_OFFLINE ?= 1

.PHONY: install check test demo docs clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# ruff, mypy and the import contract
check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest

demo: install
	$(BIN)/potstill demo

# what is generated from the code
docs: install
	$(BIN)/python docs/make_cli.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
