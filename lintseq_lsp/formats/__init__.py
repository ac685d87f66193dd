"""Formats of prompts: what a family of models is shown, what its answers mean. See table.py."""
