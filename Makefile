# Commands for developers and CI. `make` lists the targets.
# Requires Python 3.11+, git and make. The environment .venv is created on first use.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test chaos fuzz check format bench load dev lock build clean

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PIP_INSTALL := $(BIN)/python -m pip install -qq --no-input --disable-pip-version-check
PINNED := $(PIP_INSTALL) --require-hashes -r
# Passed on to pytest: make test PYTEST_ARGS="-k brief"
PYTEST_ARGS ?=
# Passed on to the load test: make load LOAD_ARGS=--help
LOAD_ARGS ?=
# make lock UPGRADE=--upgrade takes the newest allowed versions; without it, only changed dependencies are resolved.
UPGRADE ?=

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMPS)/package ## run an example without an API key and show where the documents are
	@sh scripts/demo.sh

test: check ## run everything CI runs: make check and all tests
	$(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

chaos: $(STAMPS)/dev ## kill processes and the database hundreds of times (about 15 minutes; CHAOS_SEED=1 repeats a run)
	$(BIN)/python -m pytest -m chaos -s tests/durability $(PYTEST_ARGS)

fuzz: $(STAMPS)/dev ## send valid and invalid requests to the HTTP API (about 10 minutes; SCHEMATHESIS_SEED=1 sends others)
	SCHEMATHESIS_EXAMPLES=$${SCHEMATHESIS_EXAMPLES:-150} $(BIN)/python -m pytest tests/integration/api/test_schemathesis.py $(PYTEST_ARGS)

check: $(STAMPS)/dev ## check lint, format, types, import contracts, pins, repository rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_requirements.py
	$(BIN)/python scripts/check_repository.py

format: $(STAMPS)/dev ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(STAMPS)/bench ## run the benchmarks: start, memory, overhead, throughput
	@for file in benchmarks/[a-z]*.py; do $(BIN)/python "$$file" || exit; done

load: $(STAMPS)/dev ## run a load test against a running server (COMBINE_TOKEN=cmb_... LOAD_ARGS="--url URL --rate 50")
	@$(BIN)/python scripts/load_test.py $(LOAD_ARGS)

dev: $(STAMPS)/dev ## create the development environment
	@echo "Ready. Activate it with:  . $(BIN)/activate"

build: $(STAMPS)/build ## build the wheel and the source archive in dist/
	$(BIN)/hatchling build

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock" $(UPGRADE)

lock: $(STAMPS)/lock ## compile requirements/*.txt from pyproject.toml (UPGRADE=--upgrade for newer versions)
	$(COMPILE) pyproject.toml -o requirements/runtime.txt
	$(COMPILE) pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt
	$(COMPILE) pyproject.toml --group bench -c requirements/dev.txt -o requirements/bench.txt
	$(COMPILE) --group build -c requirements/dev.txt -o requirements/build.txt
	$(COMPILE) --group lock -o requirements/lock.txt
	$(BIN)/python scripts/check_requirements.py

clean: ## remove everything these targets created, including the demo's data and documents
	@for folder in "$$PWD/.demo" /var/lib/combine-demo; do \
		if [ -w "$$folder" ] && [ -x $(BIN)/combine ]; then \
			COMBINE_DATA_DIR="$$folder" $(BIN)/combine db stop && rm -rf "$$folder" || true; \
		fi; \
	done
	rm -rf $(VENV) combine-demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The environment in layers, each with a stamp file: a second call takes no time.

$(STAMPS)/venv: scripts/create_venv.sh
	@PYTHON="$(PYTHON)" sh scripts/create_venv.sh $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: requirements/runtime.txt $(STAMPS)/venv
	@$(PINNED) $<
	@touch $@

$(STAMPS)/build: requirements/build.txt $(STAMPS)/venv
	@$(PINNED) $<
	@touch $@

$(STAMPS)/package: pyproject.toml combine/__init__.py $(STAMPS)/runtime $(STAMPS)/build
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/dev: requirements/dev.txt $(STAMPS)/package
	@$(PINNED) $<
	@touch $@

$(STAMPS)/bench: requirements/bench.txt $(STAMPS)/package
	@$(PINNED) $<
	@touch $@

$(STAMPS)/lock: requirements/lock.txt $(STAMPS)/dev
	@$(PINNED) $<
	@touch $@
