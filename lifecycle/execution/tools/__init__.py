"""What steps may call beside models. A tool is a function of JSON arguments to a JSON result, registered by name."""

from . import web as _built_in  # noqa: F401 - registers the built-in tools
from .registry import RegisteredTools, ToolContext, ToolFailed, get, names, register

__all__ = ["RegisteredTools", "ToolContext", "ToolFailed", "get", "names", "register"]
