"""Synthetic landscapes with exact truth, and strategies, for tests, demos and benchmarks."""
