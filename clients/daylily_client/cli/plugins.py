"""Commands that other distributions bring along, and what to install for those that are missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

import click

GROUP = "daylily.cli"


@dataclass(frozen=True)
class Known:
    """A command that people expect to find: what it does, and the distribution that has it."""

    summary: str
    distribution: str


KNOWN = {
    "up": Known("Run all services and a fake AWS on this machine.", "daylily-standalone"),
    "demo": Known("Watch worksets go from S3 to their end.", "daylily-standalone"),
    "notifier": Known("Check the notifier's configuration.", "daylily-notifier[cli]"),
    "monitor": Known("Find worksets in S3 and run a command for each.", "daylily-client[monitor]"),
}


class Placeholder(click.Command):
    """Stands for a command in lists and completions, so that these need not load its libraries."""


def names(group: str = GROUP, known: Mapping[str, Known] = KNOWN) -> list[str]:
    """Every command from outside, installed or only known of."""
    return sorted({entry.name for entry in entry_points(group=group)} | set(known))


def look_up(name: str) -> click.Command | None:
    """The command `name`, or a placeholder for it; None when there is no such command."""
    if name in KNOWN:
        return Placeholder(name, short_help=KNOWN[name].summary)
    return load(name)


def load(name: str, group: str = GROUP, known: Mapping[str, Known] = KNOWN) -> click.Command | None:
    """The command `name` of another distribution, or one that says what to install for it."""
    found = [entry for entry in entry_points(group=group) if entry.name == name]
    if found:
        return _loaded(found[0])
    if name in known:
        origin = known[name].distribution
        return _missing(
            name, f"`worksets {name}` comes with {origin}, which is not installed", origin
        )
    return None


def _loaded(entry: EntryPoint) -> click.Command:
    try:
        command = entry.load()
    except ModuleNotFoundError as error:
        return _missing(entry.name, f"`worksets {entry.name}` needs the module {error.name}")
    except (ImportError, AttributeError) as error:
        # One that is broken must not take the others, and their help, with it.
        return _missing(entry.name, f"`worksets {entry.name}` cannot be loaded: {error}")
    if not isinstance(command, click.Command):
        return _missing(entry.name, f"{entry.value} is no command of click")
    return command


def _missing(name: str, sentence: str, distribution: str = "") -> click.Command:
    def complain(rest: tuple[str, ...]) -> None:  # noqa: ARG001 - it takes whatever was typed
        known = KNOWN.get(name)
        origin = distribution or (known.distribution if known else "")
        install = f" Try: pip install '{origin}'" if origin else ""
        raise click.UsageError(f"{sentence}.{install}")

    return click.Command(
        name,
        callback=complain,
        params=[click.Argument(["rest"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
        short_help=f"{sentence}.",
    )
