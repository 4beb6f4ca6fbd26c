"""Names that are looked up when they are first used."""

import subprocess
import sys

import pytest

from arpent import engine, models
from arpent.core.lazy import on_demand
from arpent.tasks import change, landcover


def test_a_name_is_that_of_its_module_and_others_are_unknown() -> None:
    found = on_demand("arpent.core", {"window": ("Window",)})
    from arpent.core.window import Window

    assert found("Window") is Window
    with pytest.raises(AttributeError, match=r"module .arpent\.core. has no attribute 'Windw'"):
        found("Windw")


@pytest.mark.parametrize("package", [change, engine, models, landcover])
def test_a_package_has_all_that_it_lists_and_nothing_else(package) -> None:
    assert all(getattr(package, name) is not None for name in package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        package.nonsense  # noqa: B018


@pytest.mark.parametrize("package", ["arpent.engine", "arpent.models", "arpent.tasks.change", "arpent.tasks.landcover"])
def test_importing_the_package_imports_none_of_them(package: str) -> None:
    code = f"import sys, {package}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
