"""Commands that other distributions bring along, and what to install for those that are missing."""

from importlib.metadata import EntryPoint, entry_points

import click

GROUP = "daylily.cli"

# Commands that people expect to find, and the distribution that has each.
KNOWN = {
    "up": "daylily-standalone",
    "demo": "daylily-standalone",
    "monitor": "daylily-client[monitor]",
}


def names() -> list[str]:
    """Every command from outside, installed or only known of."""
    return sorted({entry.name for entry in entry_points(group=GROUP)} | set(KNOWN))


def load(name: str) -> click.Command | None:
    """The command `name` of another distribution, or one that says what to install for it."""
    found = [entry for entry in entry_points(group=GROUP) if entry.name == name]
    if found:
        return _loaded(found[0])
    if name in KNOWN:
        return _missing(name, f"`worksets {name}` comes with {KNOWN[name]}, which is not installed")
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
        raise click.UsageError(f"{entry.value} is no command of click")
    return command


def _missing(name: str, sentence: str) -> click.Command:
    def complain(rest: tuple[str, ...]) -> None:  # noqa: ARG001 - it takes whatever was typed
        package = KNOWN.get(name)
        install = f" Try: pip install '{package}'" if package else ""
        raise click.UsageError(f"{sentence}.{install}")

    return click.Command(
        name,
        callback=complain,
        params=[click.Argument(["rest"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
        short_help=f"{sentence}.",
    )
