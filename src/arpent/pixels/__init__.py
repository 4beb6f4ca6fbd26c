"""Arithmetic on pixels: scaling, spectral indices, quality masks."""
