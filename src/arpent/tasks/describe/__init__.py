"""Describe: Sentinel-2 images in words, every sentence backed by a measurement."""

__all__: list[str] = []
