"""Tests with a real llama-server: collected only when a variable names it (`make test-servers`)."""

from pathlib import Path

from llama_server import EXECUTABLE

collect_ignore = [] if EXECUTABLE else [path.name for path in Path(__file__).parent.glob("test_*.py")]
