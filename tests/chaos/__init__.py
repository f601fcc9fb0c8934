"""A chaos run: some hundred publications while everything around them breaks. `make chaos`, see __main__.py."""
