"""`make bench`: each figure against something that stands beside it in the same run. See docs/benchmarks.md."""
