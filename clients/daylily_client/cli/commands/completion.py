"""`worksets completion`."""

import click
from click.shell_completion import get_completion_class

PROGRAM = "worksets"
SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    r"""Print the script that makes SHELL complete commands, options, states and priorities.

    \b
    bash: worksets completion bash > ~/.local/share/bash-completion/completions/worksets
    zsh:  worksets completion zsh > "${fpath[1]}/_worksets"
    fish: worksets completion fish > ~/.config/fish/completions/worksets.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click knows no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, PROGRAM, "_WORKSETS_COMPLETE").source())
