"""A chaos run: some hundred publications during injected faults of every part. `make chaos`, see __main__.py."""
