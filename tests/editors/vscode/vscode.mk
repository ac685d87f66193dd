# `make test-vscode`: the extension, packaged, in code-server with Chromium, and one test with a real llama-server.
# Brings them into the user's cache, once.
# `make bench-vscode`: from the key press to ghost text on the screen, with the model that ships.
# `make pictures`: the animation and the pictures of the extension's README, from the same editor.

.PHONY: test-vscode bench-vscode pictures

VSCODE = LINTSEQ_VSCODE="$$($(BIN)/python tests/editors/vscode/install.py)" LINTSEQ_SHOTS=.work/shots
IMAGES := vscode-extension/images

test-vscode: $(VENV)/.editors
	$(MAKE) -C vscode-extension check test wheel
	@server='$(LINTSEQ_LLAMA_SERVER)'; \
	$(VSCODE) LINTSEQ_LLAMA_SERVER=$$server $(BIN)/python -m pytest tests/editors/vscode --timeout 900 $(ARGS)

bench-vscode: $(READY)
	$(MAKE) -C vscode-extension package
	$(VSCODE) $(BIN)/python tests/editors/vscode/latency.py

pictures: $(VENV)/.editors
	$(MAKE) -C vscode-extension package
	$(VSCODE) $(BIN)/python tests/editors/vscode/animation.py $(IMAGES)/ghost-text.png
	$(VSCODE) $(BIN)/python -m pytest tests/editors/vscode/test_vscode_edits.py --timeout 900 \
		-k 'shown_gone_to_and_taken or followed_up_to_a_step'
	cp .work/shots/next-edit.png .work/shots/next-edit-lines.png .work/shots/instruction.png $(IMAGES)
