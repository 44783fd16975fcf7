"""Texts of a channel's own: Jinja templates in a sandbox, with bounds on what they may cost."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jinja2 import StrictUndefined, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from daylily_notifier.domain.message import Message

_TEMPLATE_CHARS = 10_000
_OUTPUT_CHARS = 20_000
_NESTING = 2
_FILTERS = frozenset(
    {
        "capitalize", "default", "dictsort", "first", "int", "items", "join", "last", "length",
        "list", "lower", "replace", "reverse", "round", "sort", "string", "title", "tojson", "trim",
        "truncate", "unique", "upper", "wordcount",
    }
)  # fmt: skip
"""None of these makes much out of little, as `center` and `format` do."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Reads what it is given and calls nothing. No operator makes much out of little."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def is_safe_callable(self, obj: Any) -> bool:
        del obj
        return False

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator in {"**", "%"} or not all(
            isinstance(side, int | float) for side in (left, right)
        ):
            raise TemplateError(f"the operator {operator} is not to be had here")
        return super().call_binop(context, operator, left, right)


def _sandbox() -> _Sandbox:
    made = _Sandbox(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)
    made.globals.clear()
    for name in set(made.filters) - _FILTERS:
        del made.filters[name]
    return made


_SANDBOX = _sandbox()

NAMES = (
    "subject", "text", "url", "severity", "facts", "event_type", "state", "priority", "workset_id",
    "cluster", "customer", "event_id", "digest", "count", "episode", "what", "where", "why",
    "since", "next", "labels",
)  # fmt: skip
"""What a template may use. All are there for every message; what it does not have is empty."""


@dataclass(frozen=True)
class Template:
    """One text."""

    source: str
    chunks: Callable[[Mapping[str, Any]], Iterator[str]]

    def render(self, message: Message) -> str:
        """The text for `message`.

        Raises:
            ValueError: it becomes too long, or cannot be made.
        """
        made: list[str] = []
        length = 0
        try:
            for chunk in self.chunks(_names(message)):
                length += len(chunk)
                if length > _OUTPUT_CHARS:
                    raise ValueError(f"longer than {_OUTPUT_CHARS} characters")
                made.append(chunk)
        except (TemplateError, TypeError, ArithmeticError, AttributeError, LookupError) as error:
            raise ValueError(str(error)) from error
        return "".join(made)


def compile_template(source: str) -> Template:
    """A template that is known to use only what it may.

    Raises:
        ValueError: it is no template, or asks for what is not to be had.
    """
    if len(source) > _TEMPLATE_CHARS:
        raise ValueError(f"longer than {_TEMPLATE_CHARS} characters")
    try:
        tree = _SANDBOX.parse(source)
        unknown = meta.find_undeclared_variables(tree) - set(NAMES)
        if unknown:
            raise ValueError(
                f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}"
            )
        if _depth(tree) > _NESTING:
            raise ValueError(f"loops inside of more than {_NESTING} loops are not to be had here")
        template = _SANDBOX.from_string(source)
    except TemplateError as error:
        raise ValueError(str(error)) from None
    return Template(source, lambda names: template.generate(**names))


def with_texts(message: Message, subject: Template | None, body: Template | None) -> Message:
    """`message` in the channel's own words.

    Raises:
        ValueError: a template cannot be rendered for it.
    """
    if subject is not None:
        message = replace(message, subject=" ".join(subject.render(message).split()))
    if body is not None:
        # Channels that lay out facts by themselves show the text instead.
        message = replace(message, body=body.render(message), facts=())
    return message


def _depth(node: nodes.Node) -> int:
    """How deep loops stand inside loops: every level multiplies the work."""
    inner = max((_depth(child) for child in node.iter_child_nodes()), default=0)
    return inner + isinstance(node, nodes.For)


def _names(message: Message) -> Mapping[str, Any]:
    facts = dict(message.facts)
    attributes = message.attributes
    labels = dict(pair.split("=", 1) for pair in facts.get("Labels", "").split(", ") if "=" in pair)
    return {
        "subject": message.subject,
        "text": message.body,
        "url": message.url,
        "severity": message.severity.value,
        "facts": facts,
        "event_type": attributes.get("event_type", ""),
        "state": attributes.get("state", ""),
        "priority": attributes.get("priority", ""),
        "workset_id": attributes.get("workset_id", ""),
        "cluster": attributes.get("cluster", ""),
        "customer": attributes.get("customer", ""),
        "event_id": attributes.get("event_id", ""),
        "digest": attributes.get("digest", ""),
        "count": int(attributes.get("count", "1")),
        "episode": "" if message.thread is None else message.thread.act.value,
        "what": facts.get("What", ""),
        "where": facts.get("Where", ""),
        "why": facts.get("Why", ""),
        "since": facts.get("Since", ""),
        "next": facts.get("Next", ""),
        "labels": labels,
    }
