# Every target does its own set-up; Python (3.11 or newer, with its venv module) and make are all it needs.
# The environment lives in .venv and is made anew when requirements.lock or pyproject.toml has changed.

# The first of these that is new enough is taken; name one to decide: make PYTHON=/path/to/python3 test
PYTHON ?= python3 python3.13 python3.12 python3.11
# Passed on to the program that a target starts: make run ARGS='--port 9000', make test ARGS='-k seat'
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The tools of `make audit` need other packages than the project, and have an environment of their own.
AUDIT := $(VENV)/audit
AUDIT_READY := $(AUDIT)/.ready

# The oldest version that has everything they use.
KUBERNETES := 1.30
MANIFESTS := $(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/*.yaml deploy/kubernetes/*/*.yaml))

PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test slow check lint format docs bench soak audit lock build hooks clean

help: ## show these lines
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

run: $(READY) ## the whole service on this machine, with sample events (ARGS go to `booking dev`)
	@$(BIN)/booking dev $(ARGS)

test: $(READY) ## the tests but the slow ones, in some four minutes (ARGS go to pytest)
	$(PYTEST) -m 'not slow and not soak' $(ARGS)

slow: $(READY) ## the slow tests: browser, examples, documentation's commands, chaos (ARGS go to pytest)
	$(PYTEST) -m 'slow and not soak' $(ARGS)

check: lint test slow ## the gate: lint and all tests

lint: $(READY) ## style, types, the arrows between packages, and what is in deploy/
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/yamllint --strict .
	$(BIN)/hadolint deploy/Containerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/kubernetes-validate --strict --quiet --kubernetes-version $(KUBERNETES) $(MANIFESTS)

format: $(READY) ## rewrite the sources in the project's style
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: $(READY) ## the documentation as a site, in site/html (ARGS: another directory)
	$(BIN)/python docs/build_site.py $(ARGS)

bench: $(READY) ## speed beside yardsticks of the same run (ARGS: --list, --only relay,sweep, --quick)
	$(BIN)/python -m benchmarks $(ARGS)

soak: $(READY) ## the long versions of the tests
	HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -m '' --timeout 3600 $(ARGS)

audit: $(READY) $(AUDIT_READY) ## licences, known vulnerabilities and age of the dependencies; dist/sbom.cdx.json (needs the network)
	$(BIN)/python -m supply_chain --tools $(AUDIT)/bin

lock: $(READY) ## resolve the dependencies anew into the lock files
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
		--no-emit-index-url --custom-compile-command 'make lock' \
		--all-extras --group dev --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
		--no-emit-index-url --custom-compile-command 'make lock' \
		--group audit --output-file supply_chain/tools.lock

build: $(READY) ## wheel and source distribution into dist/
	$(BIN)/python -m hatchling build

hooks: $(READY) ## let git look at style before every commit (.pre-commit-config.yaml)
	$(BIN)/prek install

clean: ## remove everything that the other targets made, but not the data of `make run`
	rm -rf $(VENV) dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks docs deploy examples supply_chain -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# uv comes from the lock as well: its lines are cut out for pip, which checks the hashes like uv does later.
$(READY): requirements.lock pyproject.toml
	@set -eu; \
	rm -f $@; \
	chosen=''; found=''; \
	for python in $(PYTHON); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		found="$$python"; \
		if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then chosen="$$python"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo 'Python 3.11 or newer is needed; tried: $(PYTHON). Name yours: make PYTHON=/path/to/python3' >&2; exit 1; \
	elif [ -z "$$chosen" ]; then \
		echo "$$found cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$chosen" --version) ..."; \
	"$$chosen" -m venv --clear $(VENV); \
	echo 'Installing the packages of requirements.lock ...'; \
	awk '/^[a-zA-Z0-9]/ { keep = /^uv==/ } keep' requirements.lock > $(VENV)/uv.lock; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock; \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock; \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .; \
	touch $@

$(AUDIT_READY): supply_chain/tools.lock $(READY)
	@rm -f $@
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(AUDIT)
	@$(BIN)/uv pip install --quiet --python $(AUDIT)/bin/python --require-hashes -r $<
	@touch $@
