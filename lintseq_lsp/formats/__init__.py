"""Formats of prompts: what a family of models is shown, and what its answers mean. The table is in table.py."""
