"""The models that `model pull` knows by a short name. Data alone: no library, no network.

Facts are from the models' public pages, and from what others have published of them. What could not be
confirmed is None or empty, and is shown as not confirmed; the Hub says it when a model is pulled.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Published:
    """A model on the Hugging Face Hub.

    `file` is a GGUF file; without one, the repository holds a checkpoint, which is converted. `size` is in
    bytes, and the least memory that the model takes; `prompt_format` is what detection is expected to find.
    """

    repository: str
    description: str
    license: str
    prompt_format: str
    file: str = ""
    size: int | None = None
    note: str = ""


_OPENRAIL = "free to use, except for purposes that the licence forbids; copies must keep that rule"

CATALOGUE: Mapping[str, Published] = {
    "qwen2.5-coder-0.5b": Published(
        "ggml-org/Qwen2.5-Coder-0.5B-Q8_0-GGUF",
        "ghost text, with other open files; the smallest of its family",
        "apache-2.0",
        "fim-qwen-repo",
        "qwen2.5-coder-0.5b-q8_0.gguf",
        531_068_128,
    ),
    "qwen2.5-coder-1.5b": Published(
        "ggml-org/Qwen2.5-Coder-1.5B-Q8_0-GGUF",
        "ghost text, with other open files; better answers, but slower",
        "apache-2.0",
        "fim-qwen-repo",
        "qwen2.5-coder-1.5b-q8_0.gguf",
        1_646_573_056,
    ),
    "qwen2.5-coder-3b": Published(
        "ggml-org/Qwen2.5-Coder-3B-Q8_0-GGUF",
        "ghost text, with other open files; large for a CPU",
        "qwen-research",
        "fim-qwen-repo",
        "qwen2.5-coder-3b-q8_0.gguf",
        3_285_476_160,
        "its licence is for research: no commercial use",
    ),
    "granite-4.0-350m": Published(
        "ibm-granite/granite-4.0-350m-base-GGUF",
        "ghost text; very small",
        "apache-2.0",
        "fim-granite4",
        "granite-4.0-350m-base-Q8_0.gguf",
        note="its makers state only of the larger ones that they were trained to fill in",
    ),
    "granite-4.0-1b": Published(
        "ibm-granite/granite-4.0-1b-base-GGUF",
        "ghost text; large for a CPU",
        "apache-2.0",
        "fim-granite4",
        "granite-4.0-1b-base-bf16.gguf",
        note="16-bit weights; we do not know the repository's other files",
    ),
    "starcoder2-3b": Published(
        "second-state/StarCoder2-3B-GGUF",
        "ghost text; large for a CPU",
        "bigcode-openrail-m",
        "fim-starcoder",
        "starcoder2-3b-Q8_0.gguf",
        3_224_556_608,
        _OPENRAIL,
    ),
    "deepseek-coder-1.3b": Published(
        "TheBloke/deepseek-coder-1.3b-base-GGUF",
        "ghost text",
        "deepseek",
        "fim-deepseek",
        "deepseek-coder-1.3b-base.Q8_0.gguf",
        note=f"DeepSeek's own licence: {_OPENRAIL}",
    ),
    "smollm2-135m": Published(
        "QuantFactory/SmolLM2-135M-GGUF",
        "the model that ours was made from, for comparison",
        "apache-2.0",
        "plain",
        "SmolLM2-135M.Q8_0.gguf",
        144_810_464,
    ),
    "smollm2-360m": Published(
        "mradermacher/SmolLM2-360M-GGUF",
        "the rest of a line",
        "apache-2.0",
        "plain",
        "SmolLM2-360M.Q8_0.gguf",
        386_404_864,
    ),
    "sweep-next-edit-0.5b": Published(
        "sweepai/sweep-next-edit-0.5B",
        "next edits; the smallest open model for them",
        "",
        "sweep-2",
        "sweep-next-edit-0.5b.q8_0.gguf",
    ),
    "sweep-next-edit-1.5b": Published(
        "sweepai/sweep-next-edit-1.5B",
        "next edits; better answers, but slower",
        "apache-2.0",
        "sweep-2",
        "sweep-next-edit-1.5b.q8_0.v2.gguf",
        1_537_269_856,
    ),
    "zeta-2": Published(
        "bartowski/zed-industries_zeta-2-GGUF",
        "next edits; too large for a CPU",
        "",
        "zeta-2",
        "zed-industries_zeta-2-Q4_K_M.gguf",
        5_230_000_000,
        "size as published: 4.87 GiB",
    ),
    "zeta-2.1": Published(
        "mradermacher/zeta-2.1-GGUF",
        "next edits; too large for a CPU",
        "apache-2.0",
        "zeta-2.1",
        "zeta-2.1.Q4_K_M.gguf",
    ),
    "tinycodelm-150m-lintseq": Published(
        "upiter/TinyCodeLM-150M-LintSeqInstruct",
        "the LintSeq paper's model, 150 million parameters",
        "apache-2.0",
        "paper-1",
    ),
    "tinycodelm-400m-lintseq": Published(
        "upiter/TinyCodeLM-400M-LintSeqInstruct",
        "the LintSeq paper's model, 400 million parameters",
        "apache-2.0",
        "paper-1",
    ),
}


def in_bytes(size: int) -> str:
    """As the Hub shows sizes: in powers of 1,000."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"
