"""The map in the browser; never imports torch."""
