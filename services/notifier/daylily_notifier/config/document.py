"""A YAML text as plain data, and the line that each key stands on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from daylily_notifier.config.errors import ConfigError

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """What was read."""

    name: str
    data: Any
    lines: Mapping[KeyPath, int]

    def fault(self, path: KeyPath, message: str) -> str:
        """A sentence on what is wrong with the value at `path`, with its place in the file.

        A key that is missing is reported at the line of what it is missing from.
        """
        known = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self.lines), ())
        place = f"{self.name}:{self.lines[known]}" if known else self.name
        key = ".".join(str(part) for part in path)
        return f"{place}: {key}: {message}" if key else f"{place}: {message}"


def parse(text: str, name: str) -> Document:
    """Read YAML.

    Raises:
        ConfigError: it is no YAML, or gives a key twice (YAML would take the last in silence).
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError([f"{name}: {error}"]) from None
    lines: dict[KeyPath, int] = {}
    faults: list[str] = []
    if root is not None:
        _walk(root, (), lines, faults)
    if faults:
        raise ConfigError([f"{name}:{fault}" for fault in faults])
    return Document(name, data, lines)


def _walk(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], faults: list[str]) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                full = ".".join(str(part) for part in (*path, key.value))
                faults.append(f"{line}: {full}: given twice")
            seen.add(key.value)
            lines[*path, key.value] = line
            _walk(value, (*path, key.value), lines, faults)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[*path, index] = value.start_mark.line + 1
            _walk(value, (*path, index), lines, faults)
