"""Settings: what is declared is checked, in one line that names the setting as a user writes it."""

from dataclasses import asdict, replace
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from nasarena.search.errors import InvalidSetting, nearest
from nasarena.search.settings import build, options_class, settings


@settings
class Inner:
    count: int = Field(3, gt=0, description="how many")
    kind: Literal["near", "far"] = "near"

    def __post_init__(self) -> None:
        if self.count == 7:
            raise InvalidSetting("count must not be 7")


@settings
class Outer:
    share: float = Field(0.5, ge=0, lt=1)
    flag: bool = False
    most: Annotated[int, Field(ge=1)] | None = None
    inner: Inner = Inner(5)
    factors: tuple[Annotated[float, Field(gt=0)], ...] = (1.0,)
    path: str | tuple[str, ...] | None = None
    changes: dict[str, dict[str, int | float]] = Field(default_factory=dict)


def refusal(**values: Any) -> str:
    with pytest.raises(InvalidSetting) as caught:
        build(Outer, values, "proxy")
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("values", "field", "result"),
    [
        ({"share": 0}, "share", 0.0),
        ({"most": 1e3}, "most", 1000),
        ({"most": None}, "most", None),
        ({"factors": [1, 2]}, "factors", (1.0, 2.0)),
        ({"path": 7}, "path", "7"),
        ({"path": ["a", "b"]}, "path", ("a", "b")),
        ({"inner": {"kind": "far"}}, "inner", Inner(3, "far")),
        ({"changes": {"a": {"b": 1, "c": 0.5}}}, "changes", {"a": {"b": 1, "c": 0.5}}),
    ],
)
def test_values_become_what_their_type_says(
    values: dict[str, Any], field: str, result: Any
) -> None:
    found = getattr(build(Outer, values), field)
    assert found == result and type(found) is type(result)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"share": "1"}, "proxy.share must be a number, got '1'"),
        ({"share": True}, "proxy.share must be a number, got True"),
        ({"share": float("inf")}, "proxy.share must be finite, got inf"),
        ({"share": -1}, "proxy.share must be at least 0, got -1"),
        ({"share": 1}, "proxy.share must be below 1, got 1"),
        ({"flag": 1}, "proxy.flag must be true or false, got 1"),
        ({"most": 1.5}, "proxy.most must be a whole number, got 1.5"),
        ({"most": True}, "proxy.most must be a whole number, got True"),
        ({"most": "3"}, "proxy.most must be a whole number, got '3'"),
        ({"most": 0}, "proxy.most must be at least 1, got 0"),
        ({"inner": {"count": 0}}, "proxy.inner.count must be positive, got 0"),
        ({"inner": {"count": 7}}, "proxy.inner.count must not be 7"),
        ({"inner": {"kind": "x"}}, "proxy.inner.kind must be one of near, far, got 'x'"),
        ({"inner": 3}, "proxy.inner must be settings of its own, such as {key:value}, got 3"),
        ({"factors": 3}, "proxy.factors must be a list such as [a,b], got 3"),
        ({"factors": [1, 0]}, "proxy.factors must be positive, got 0"),
        ({"path": {}}, "proxy.path must be a word or a list such as [a,b], got {}"),
        ({"path": [True]}, "proxy.path must be a word, got [True]"),
        ({"changes": {"a": 3}}, "proxy.changes.a must be settings of its own, such as {key:value}"),
    ],
)
def test_a_wrong_value_is_named_and_shown(values: dict[str, Any], message: str) -> None:
    assert refusal(**values).startswith(message)


def test_an_unknown_setting_comes_with_the_nearest() -> None:
    assert refusal(shere=1).startswith("no setting is called 'proxy.shere'; nearest: proxy.share")
    assert "'proxy.inner.cuont'; nearest: proxy.inner.count" in refusal(inner={"cuont": 1})
    with pytest.raises(InvalidSetting, match="nearest: elsewhere.zzzz"):
        build(Outer, {"zzz": 1}, known=["elsewhere.zzzz"])
    assert nearest("x", []) == "there is none"


def test_a_long_value_is_shown_shortened() -> None:
    assert refusal(share="x" * 500).endswith("x...") and len(refusal(share="x" * 500)) < 130


def test_the_constructor_and_replace_check_too() -> None:
    assert asdict(Inner()) == {"count": 3, "kind": "near"}
    for make in (lambda: Inner(0), lambda: replace(Inner(), count=0), lambda: Inner(count=0)):
        with pytest.raises(InvalidSetting, match="^count must be positive, got 0$"):
            make()
    with pytest.raises(InvalidSetting, match="^inner.count must not be 7$"):
        Outer(inner={"count": 7})  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        Inner().count = 4  # type: ignore[misc]


def test_a_signature_is_as_good_as_a_class() -> None:
    def search(
        space: object,
        population: Annotated[int, Field(ge=2)] = 50,
        unknown: "Nowhere" = 3,  # type: ignore[name-defined]  # noqa: F821
        letters: list[str] = ["A"],  # noqa: B006
        *,
        need: str,
        **others: Any,
    ) -> None: ...

    cls = options_class(search, frozenset({"space"}))
    made = build(cls, {"need": "x", "unknown": "whatever"})
    assert asdict(made) == {
        "population": 50, "unknown": "whatever", "letters": ["A"], "need": "x",
    }  # fmt: skip
    for given, words in (
        ({}, "f.options.need must be given"),
        ({"need": "x", "population": 1}, "f.options.population must be at least 2, got 1"),
        ({"need": "x", "letters": "A"}, "f.options.letters must be a list such as"),
    ):
        with pytest.raises(InvalidSetting, match=words):
            build(cls, given, "f.options")
