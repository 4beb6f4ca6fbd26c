"""The five capabilities, thin, over the engine."""
