"""Samples: index, splits, statistics, normalisation, augmentation, batches."""
