"""Which models there are, where their files lie, how they are fetched, converted and verified."""
