# Measurements beside others. The machine should have nothing else to do.
.PHONY: bench-peers bench-keystroke

# Our server beside others, in the same typing sessions: writes benchmarks/peers.md, in half an hour. The
# llama-server is brought as for `make test-servers`.
bench-peers: $(VENV)/.editors .cache/models/.ready .cache/peers/.ready
	@server='$(LINTSEQ_LLAMA_SERVER)'; test -n "$$server" && \
		LINTSEQ_LLAMA_SERVER=$$server PYTHONPATH=tests $(BIN)/python benchmarks/peers.py $(ARGS)

.cache/peers/.ready: benchmarks/peers.txt | $(READY)
	$(BIN)/python -m venv $(@D)
	$(@D)/$(notdir $(BIN))/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# A keystroke, part by part: writes benchmarks/keystroke.md, in a minute.
bench-keystroke: $(READY)
	PYTHONPATH=tests $(BIN)/python benchmarks/keystroke.py $(ARGS)
