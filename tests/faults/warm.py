"""What commands do once before they can work, done before any fork: the process that forks imports this."""

from importlib import import_module

from numba.core.registry import cpu_target

from arpent.cli.app import tree

# Imported by libraries when they are first used.
LATE = """
_strptime jinja2 matplotlib.backends.backend_agg matplotlib.figure matplotlib.font_manager pandas pyarrow.dataset
pydantic.type_adapter pyogrio rich._unicode_data rich.console rich.progress rich.table scipy.linalg torch._dynamo
torch._inductor typer._adapters zoneinfo
"""

for name in LATE.split():
    import_module(name)
# Compilers look at all that they know when the first compiled function is called.
cpu_target.typing_context.refresh()
cpu_target.target_context.refresh()
tree()
