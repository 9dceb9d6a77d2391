"""Measurements beside peers. Each module is run by itself and prints one JSON line; see README.md."""
