"""Arpent reads the land from above.

Files become windows, windows tensors, tensors maps; see ``docs/architecture.md`` for the flow. Importing this
package does nothing but define its version: each room is imported by name, and torch only by those that need it.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
