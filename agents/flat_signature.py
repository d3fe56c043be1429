"""One flat list of options for a class whose options come from several classes of settings.

`build_searcher` checks options against a signature and lists their defaults; so a searcher that
takes `**options` for its policy and for `AgentOptions` spells its signature out with this.
"""

import inspect
from collections.abc import Mapping, Sequence
from inspect import Parameter, Signature
from typing import Annotated, Any

from pydantic import Field


def flat_signature(
    cls: type[Any], groups: Sequence[type[Any]], defaults: Mapping[str, Any]
) -> Signature:
    """What `__init__` takes along the line of classes, then the settings of the classes.

    `defaults` win over the defaults of the fields.
    """
    parameters = {
        name: parameter
        for base in reversed(cls.__mro__[:-1])
        if "__init__" in vars(base)
        for name, parameter in inspect.signature(vars(base)["__init__"]).parameters.items()
        if name != "self" and parameter.kind is not Parameter.VAR_KEYWORD
    }
    for group in groups:
        for name, setting in group.__pydantic_fields__.items():
            told = (*setting.metadata, Field(description=setting.description))
            parameters[name] = Parameter(
                name,
                Parameter.KEYWORD_ONLY,
                default=defaults.get(name, setting.default),
                annotation=Annotated[(setting.annotation, *told)],
            )
    return Signature(list(parameters.values()))
