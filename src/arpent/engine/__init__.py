"""The one training loop and the one prediction loop."""
