# `make test-vscode`: the extension, packaged, in code-server with Chromium, and one test with a real llama-server.
# Brings them into the user's cache, once.
# `make bench-vscode`: from the key press to ghost text on the screen, with the model that ships.

.PHONY: test-vscode bench-vscode

VSCODE = LINTSEQ_VSCODE="$$($(BIN)/python tests/editors/vscode/install.py)" LINTSEQ_SHOTS=.work/shots

test-vscode: $(VENV)/.editors
	$(MAKE) -C vscode-extension check test wheel
	@server='$(LINTSEQ_LLAMA_SERVER)'; test -n "$$server" && \
	$(VSCODE) LINTSEQ_LLAMA_SERVER=$$server $(BIN)/python -m pytest tests/editors/vscode --timeout 900 $(ARGS)

bench-vscode: $(READY)
	$(MAKE) -C vscode-extension package
	$(VSCODE) $(BIN)/python tests/editors/vscode/latency.py
