"""Measurements of the product: what a user waits for, and what it costs."""
