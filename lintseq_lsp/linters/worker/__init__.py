"""pylint, warm, on strings: what runs in the linter's own process, and the only importer of pylint."""
