"""The LintSeq stage: goes on from weights, on sequences in the product's own prompt formats.

    python models/finetune.py --init .work/pretrained --tokens .work/tokens --out .work/finetuned --hours 2

The loop, its files and its options are pretrain.py's; the rates are lower and --init is needed.
"""

from pathlib import Path

from pretrain import arguments_parser, train

RATE = 0.5  # of pretrain.py's learning rates

if __name__ == "__main__":
    parser = arguments_parser()
    parser.description = __doc__
    parser.set_defaults(rate=RATE, tokens=Path(".work/tokens"))
    arguments = parser.parse_args()
    if arguments.init is None:
        parser.error("--init: which weights to go on from?")
    train(arguments)
