"""Make stock Clinica see plugin pipelines: run at every Python start by `clinica_gado.pth`.

Clinica imports a fixed list of pipelines and reads no entry point. `install` leaves one finder on
`sys.meta_path` that waits for `clinica.pipelines` and, once that module has run, registers the
plugins. It imports nothing but `sys`, because every Python process of the environment pays for it.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

TARGET = "clinica.pipelines"
OPT_OUT = "CLINICA_GADO_NO_HOOK"


class ClinicaPipelinesFinder:
    """Meta path finder that answers for `clinica.pipelines` and for nothing else."""

    def find_spec(
        self,
        fullname: str,
        path: "Sequence[str] | None" = None,
        target: "ModuleType | None" = None,
    ) -> "ModuleSpec | None":
        """Return the real spec of `clinica.pipelines`, its loader made to register plugins."""
        if fullname != TARGET:
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            # Not here, or not yet: stay on the path for whoever asks next.
            return None
        self._register_after_execution(spec)
        return spec

    def _register_after_execution(self, spec: "ModuleSpec") -> None:
        loader = spec.loader
        run_module = loader.exec_module  # type: ignore[union-attr]

        def exec_module(module: "ModuleType") -> None:
            run_module(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            from clinica_gado._plugins import register

            register()

        loader.exec_module = exec_module  # type: ignore[union-attr, method-assign]


def install() -> None:
    """Wait for `clinica.pipelines`, unless told not to, already waiting, or too late.

    A virtual environment runs each `.pth` file twice, hence the check for an earlier call.
    """
    if TARGET in sys.modules or _opted_out():
        return
    if any(isinstance(finder, ClinicaPipelinesFinder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, ClinicaPipelinesFinder())


def _opted_out() -> bool:
    # Already loaded at this point of any start: costs nothing.
    from os import environ

    return environ.get(OPT_OUT) == "1"
