"""A quick model for tests that need a real one: 5.6 million parameters, OLMo, of an earlier release."""

from pathlib import Path

SMALL_MODEL = Path(__file__).with_name("lintseq-6m-v2-q8_0.gguf")
SMALL_MODEL_CONTEXT = 1024
