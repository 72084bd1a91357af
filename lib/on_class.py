"""on_class: a service's method that a plain script may call on the class itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from inspect import Signature, signature
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

P = ParamSpec("P")
R = TypeVar("R")


class on_class(Generic[P, R]):  # noqa: N801 - it is used as a decorator
    """Turns a method into one that also works without an instance.

    `LeadService.get_all_leads()` in a script of an older backend opens a unit of work of the
    configured program, calls the method in it and commits. On an instance nothing changes.
    """

    def __init__(self, function: Callable[Concatenate[Any, P], R]) -> None:
        self.function = function
        update_wrapper(self, function)  # type: ignore[arg-type]

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[P, R]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Callable[P, R]: ...

    def __get__(self, instance: object | None, owner: type) -> Callable[P, R]:
        if instance is not None:
            return self.function.__get__(instance, owner)  # type: ignore[no-any-return]
        return self._in_a_unit_of_work(owner)

    def _in_a_unit_of_work(self, owner: type) -> Callable[P, R]:
        asked = _without_self(self.function)

        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            import main

            given = asked.bind(*args, **kwargs)
            for name, value in given.arguments.items():
                # Ids of older programs are numbers; here they are texts, and not every database
                # takes one for the other.
                if type(value) is int and asked.parameters[name].annotation in (str, "str"):
                    given.arguments[name] = str(value)
            with main.unit_of_work() as services:
                return self.function(services.make(owner), *given.args, **given.kwargs)

        vars(update_wrapper(call, self.function))["__signature__"] = asked
        return call


def _without_self(function: Callable[..., Any]) -> Signature:
    whole = signature(function)
    return whole.replace(parameters=[*whole.parameters.values()][1:])
