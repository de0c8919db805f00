# make install, make check, make test, make demo, make docs; make lock and make audit are for maintainers.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export HF_HUB_OFFLINE ?= 1

.PHONY: install check test demo docs lock audit clean

# Hashes are checked of all but torch, which is another file on each platform, the build backend and Potstill itself.
install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt requirements.lock $(wildcard packages/*/pyproject.toml)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable packages/potstill-base-en --editable packages/potstill-base-ko
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

# docs/cli.md from the code, then the site with its search: site/index.html
docs: install
	$(BIN)/python docs/make_cli.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# requirements.lock: the hashes of every file of the versions in constraints.txt; needs uv
lock:
	grep -v '^torch==' constraints.txt | uv pip compile --no-deps --generate-hashes --universal --python-version 3.11 \
		--no-header --no-annotate --quiet --output-file requirements.lock -

# known vulnerabilities of what is installed; one that cannot be looked up is a failure too
audit:
	test -x $(VENV)-audit/bin/pip-audit || { $(PYTHON) -m venv $(VENV)-audit && $(VENV)-audit/bin/pip install --quiet pip-audit; }
	$(VENV)-audit/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

clean:
	rm -rf $(VENV) $(VENV)-audit build dist site .mypy_cache .ruff_cache .pytest_cache
