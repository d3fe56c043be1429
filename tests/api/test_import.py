"""`import nasarena`: what it offers, and that it costs nothing before something is asked for."""

import subprocess
import sys
import types
from importlib.metadata import version

import nasarena


def test_all_names_are_exported_and_no_other() -> None:
    for name in nasarena.__all__:
        assert getattr(nasarena, name) is not None
    public = {
        name
        for name in dir(nasarena)
        if name == "__version__" or not name.startswith("_")
        if not isinstance(getattr(nasarena, name), types.ModuleType)
    }
    assert public == set(nasarena.__all__)
    assert len(nasarena.__all__) == len(set(nasarena.__all__))


def test_the_version_is_that_of_the_installed_package() -> None:
    assert nasarena.__version__ == version("nasarena")


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(nasarena, "optimise")


def test_importing_it_loads_none_of_the_libraries_and_none_of_our_modules() -> None:
    code = "import sys, nasarena; print(*sorted(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert not loaded & {"torch", "hydra", "omegaconf", "pandas", "numpy", "matplotlib", "rich"}
    assert [name for name in loaded if name.startswith("nasarena")] == ["nasarena"]
