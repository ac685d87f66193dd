"""Patches of any origin: read (reading.py), and placed over a working tree (applying.py)."""
