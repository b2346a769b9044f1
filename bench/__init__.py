"""toklab from Python: ``evaluate`` a model, ``run_suite``, ``open_run``. Nothing is loaded before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis.run import Run
    from .api import EngineOptions, EvaluationError, evaluate, open_run, run_suite

    __version__: str

__all__ = ["EngineOptions", "EvaluationError", "Run", "__version__", "evaluate", "open_run", "run_suite"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("toklab")
    if name in __all__:
        from . import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
