"""`toklab weights list|pull|path`."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import say

app = typer.Typer(
    help="Weights of metrics and tokenizers: what is here, where, and how to get the rest.", no_args_is_help=True
)


@app.command("list")
def list_() -> None:
    """List metric weights and tokenizer checkpoints, with where each lies or how to get it.

    Example:

        toklab weights list
    """
    from ..inventory.weight_catalog import weights_table

    say(weights_table())


@app.command()
def pull(
    name: Annotated[
        list[str], typer.Argument(help="Metrics, weight files or tokenizers, as `toklab weights list` names them.")
    ],
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licence of weights that ask for it.")
    ] = False,
) -> None:
    """Download and verify weights; those that are here are verified too.

    Some weights are not for commercial use: without --accept-licence they are refused, and the error names the licence.

    Examples:

        toklab weights pull lpips-vgg vidtok_kl_causal_488_4chn

        toklab weights pull jedi --accept-licence
    """
    from ..inventory.weight_catalog import pull_weights

    for item in name:
        say(str(pull_weights(item, accept_licence=accept_licence)))


@app.command()
def path(name: Annotated[str, typer.Argument(help="A metric, weight file or tokenizer.")]) -> None:
    """Print where a weight file lies on this machine, unverified; exit code 1 and the hint if it doesn't.

    Example:

        toklab weights path i3d
    """
    from ..inventory.weight_catalog import find_weights

    found, hint = find_weights(name)
    if found is None:
        say(hint, err=True)
        raise typer.Exit(1)
    say(str(found))


@app.command()
def lock(
    name: Annotated[
        list[str] | None, typer.Argument(help="Tokenizers, or metrics [default: all that are here].")
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Accept the files that are here in place of those pinned before.")
    ] = False,
) -> None:
    """Check downloads whose card gives no SHA-256 against the lock file, and pin those that aren't in it yet.

    Runs do the same with what they use. Exit code 1 if a file isn't the one that was pinned. The variable
    TOKLAB_WEIGHTS_LOCK names another lock file, such as one beside a project's suites.

    Examples:

        toklab weights lock

        toklab weights lock --update vidtok_kl_causal_488_4chn
    """
    from ..inventory.weight_catalog import lock_table

    if update and not name:
        raise typer.BadParameter("name those whose files have changed", param_hint="--update")
    text, changed = lock_table(name or [], update=update)
    say(text)
    if changed:
        raise typer.Exit(1)
