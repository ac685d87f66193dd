"""Fine-tunes any causal model of transformers on what `lintseq-lsp synthesize` wrote: docs/finetune.md.

    pip install 'lintseq-lsp[finetune]'
    python models/finetune.py --model HuggingFaceTB/SmolLM2-135M --data sequences.jsonl --output_dir tuned
    lintseq-lsp model convert tuned -o tuned.gguf --prompt-format paper-1

Every option of transformers' TrainingArguments is one of this script: --learning_rate, --bf16, --deepspeed,
--resume_from_checkpoint … All weights are trained, on the devices that `accelerate launch` is told of.

A sequence is the instruction, each edit and an empty one, a `<|diff|>` behind each, and the end of the text.
The instruction is read and not learned. One that is longer than --max_length ends behind its last whole edit.
"""
# ruff: noqa: T201 - a script that speaks to a terminal

import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset, load_dataset
from tokenizers import AddedToken
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    HfArgumentParser,
    Trainer,
    TrainingArguments,
)

from lintseq_lsp.formats.lintseq import DIFF, END, instruction_fragment

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

IGNORED = -100  # transformers' label of what is not learned
COLUMNS = ["edit_path", "source_instruction"]
FORMATS = {".jsonl": "json", ".json": "json", ".parquet": "parquet"}


@dataclass
class Options:
    """What is trained, and on what."""

    model: str = field(metadata={"help": "Folder of a checkpoint, or a name on the Hugging Face Hub."})
    data: list[str] = field(
        metadata={"help": "What synthesize wrote: a folder, files of one kind, or a data set of the Hub."}
    )
    validation: list[str] | None = field(
        default=None, metadata={"help": "The same, of other programs: measured as --eval_strategy says."}
    )
    max_length: int = field(default=1024, metadata={"help": "Tokens of the longest sequence."})
    processes: int | None = field(default=None, metadata={"help": "Processes that make tokens of the texts."})


def opened(model: str) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """A model with its tokenizer, which both know `<|diff|>`, and the end of a text."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    if tokenizer.eos_token_id is None:
        sys.exit(f"the tokenizer of {model} has no token that ends a text")
    tokenizer.add_tokens([AddedToken(DIFF.text, special=True, normalized=False)], special_tokens=True)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    if len(tokenizer) > network.get_input_embeddings().num_embeddings:
        network.resize_token_embeddings(len(tokenizer))
    network.config.eos_token_id = tokenizer.eos_token_id
    return network, tokenizer


def encoded(
    record: dict[str, Any], tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> dict[str, list[int]]:
    """`input_ids` and `labels` of one sequence. No ids at all when not even its first edit fits."""
    instruction = instruction_fragment(record["source_instruction"])
    texts = [instruction, *(f"{edit}\n" for edit in record["edit_path"]), END]
    boundary = tokenizer.convert_tokens_to_ids(DIFF.text)
    # `<|diff|>` and its like inside of code are text
    pieces = tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    fragments = [[*ids, boundary] for ids in pieces]
    fragments[-1].append(tokenizer.eos_token_id)
    given = len(fragments[0])
    ids: list[int] = []
    for fragment in fragments:
        if len(ids) + len(fragment) > max_length:
            break
        ids += fragment
    if len(ids) <= given:
        ids = []
    return {"input_ids": ids, "labels": [IGNORED] * min(given, len(ids)) + ids[given:]}


def read(places: list[str]) -> Dataset:
    """Records of a folder, of files, or of a data set of the Hub."""
    kind = FORMATS.get(Path(places[0].removesuffix(".gz").removesuffix(".zst")).suffix)
    if kind is None and len(places) > 1:
        sys.exit(f"{places[0]} is none of {', '.join(FORMATS)}: give files, one folder, or one name")
    records = (
        load_dataset(kind, data_files=places, split="train")
        if kind
        else load_dataset(places[0], split="train")
    )
    if missing := [name for name in COLUMNS if name not in records.column_names]:
        sys.exit(f"{places[0]} has no column {missing[0]}: was it written by lintseq-lsp synthesize?")
    return records


def sequences(places: list[str], tokenizer: "PreTrainedTokenizerBase", options: Options) -> Dataset:
    records = read(places)
    encode = partial(encoded, tokenizer=tokenizer, max_length=options.max_length)
    made = records.map(encode, remove_columns=records.column_names, num_proc=options.processes)
    kept = made.filter(lambda ids: len(ids) > 0, input_columns="input_ids", num_proc=options.processes)
    print(f"{places[0]}: {len(kept)} sequences, {len(made) - len(kept)} without an edit that fits")
    if not len(kept):
        sys.exit("there is nothing to learn")
    return kept


def main() -> None:
    options, arguments = HfArgumentParser((Options, TrainingArguments)).parse_args_into_dataclasses()
    network, tokenizer = opened(options.model)
    options.max_length = min(options.max_length, network.config.max_position_embeddings)
    with arguments.main_process_first(desc="tokens"):
        train = sequences(options.data, tokenizer, options)
        validation = sequences(options.validation, tokenizer, options) if options.validation else None
    trainer = Trainer(
        model=network,
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        data_collator=DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=IGNORED),
        processing_class=tokenizer,
    )
    trainer.train(resume_from_checkpoint=arguments.resume_from_checkpoint)
    trainer.save_model()


if __name__ == "__main__":
    main()
