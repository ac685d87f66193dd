# The whole evaluation of one model, in hours: `make evaluation`, or `make evaluation EVALUATED=FILE.gguf THREADS=2`.
# It can be stopped: each step keeps in DATA/evaluation what it has, and the same command goes on. A larger number
# adds what is missing. The corpus is that of models/README.md; what the steps measure, each script says.

EVALUATED := models/lintseq-120m-q4_0.gguf
DATA := .work
THREADS := 1
POSITIONS := 250
EDITS := 60
MODULES := 21
KEYS := 1100
TASKS := 60
SAMPLES := 10
INSERTIONS := 100
EXAMPLES := 10

.PHONY: evaluation

evaluation: PAGES = $(DATA)/evaluation/$(basename $(notdir $(EVALUATED)))
evaluation: MODEL = $(EVALUATED) --data $(DATA) --threads $(THREADS)
evaluation: $(READY)
	@test -f $(DATA)/corpus/held_out.jsonl || { echo "no corpus in $(DATA): see models/README.md"; exit 1; }
	@mkdir -p $(PAGES)
	$(BIN)/python models/certainty.py $(MODEL) --count $(POSITIONS) > $(PAGES)/certainty.md
	$(BIN)/python models/evaluate.py $(MODEL) --systems product --tasks "next line" "half-typed line" \
		--count $(POSITIONS) --out $(PAGES)/lines.md
	$(BIN)/python models/evaluate.py $(MODEL) --systems product --tasks "next edit" "rewrite" \
		--count $(EDITS) --out $(PAGES)/edits.md
	@rm -f $(PAGES)/keystrokes.md
	$(BIN)/python models/keystrokes.py $(MODEL) --modules $(MODULES) --keys $(KEYS) \
		--rows product no-gate syntax --out $(PAGES)/keystrokes.md
	$(BIN)/python models/lost.py $(MODEL) --modules $(MODULES) --keys $(KEYS) --out $(PAGES)/lost.md
	$(BIN)/python models/tasks.py $(MODEL) --count $(TASKS) --samples $(SAMPLES) --insertions $(INSERTIONS) \
		--out $(PAGES)/tasks.md
	$(BIN)/python models/examples.py $(MODEL) --count $(EXAMPLES) --out $(PAGES)/examples.md
	@echo; echo "the tables are in $(PAGES)"
