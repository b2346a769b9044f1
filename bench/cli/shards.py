"""`toklab merge`, and `toklab submit`: the scripts of a Slurm array that runs the shards of a suite and merges them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import run
from .output import say
from .suite_options import choose_suite

if TYPE_CHECKING:
    from ..planning.suite import Suite

TEMPLATE = """\
#!/bin/bash
@DIRECTIVES@
#SBATCH --time=24:00:00
#SBATCH --cpus-per-task=8
# A partition, an account, GPUs, modules: copy this template, change it, and give it with --slurm-template.
set -euo pipefail
@COMMAND@
"""
"""What jobs are made of where nobody gives a template."""
PLACES = ("DIRECTIVES", "COMMAND")
"""What a template must name once: lines of `#SBATCH` that toklab adds, and the command."""
PLACE = re.compile(r"@([A-Z_]+)@")


def merge(
    runs: Annotated[list[Path], typer.Argument(help="Run folders to join.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New run folder.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the run folder that is there, once the new one is complete.")
    ] = False,
) -> None:
    """Join run folders, such as the shards of one suite, into a new one.

    Examples:

        toklab merge runs/part1 runs/part2 --out runs/whole

        toklab merge runs/part1 runs/part2 --out runs/whole --replace
    """
    from ..ledger.merging import merge_runs
    from .report import print_next, print_run

    merge_runs(runs, out, replaces=replace)
    print_run(out)
    print_next(out)


def submit(
    context: typer.Context,
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A shipped suite or a TOML file.")],
    shards: Annotated[int, typer.Option(min=1, help="Jobs of the array; each runs an equal part of the videos.")],
    slurm_template: Annotated[
        Path | None,
        typer.Option(
            help="Script with your cluster's options, and @DIRECTIVES@ and @COMMAND@ [default: one that asks for 24 "
            "hours and 8 cores, and no GPU]."
        ),
    ] = None,
    merge_template: Annotated[
        Path | None, typer.Option(help="The same for the merge job, which needs no GPU [default: the other template].")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of scripts, logs and runs [default: runs/SUITE-slurm].")
    ] = None,
) -> None:
    """Write a Slurm array that runs a suite in shards, a job that merges them, and a script that submits both.

    Options after `--` go to `toklab run`. All nodes need the videos, the environment and the folder at the same place.
    A job that is ended goes on where it stopped: submit both again, and what was merged before is replaced.

    A template is a script of bash. `@DIRECTIVES@` becomes the job's name, its array and its log; `@COMMAND@` becomes
    the command. Both are there once, as in this one:

        #!/bin/bash
        @DIRECTIVES@
        #SBATCH --partition=gpu --gpus=1 --time=24:00:00
        source ~/toklab/bin/activate
        @COMMAND@

    Examples:

        toklab submit mcl-jcv --shards 16

        toklab submit table1 --shards 64 --slurm-template gpu.sh -- --device cuda --batch-size 4
    """
    from ..execution.supervision import absolute

    options = list(context.args)
    chosen = _planned_suite(suite, options)
    template = _read_template("--slurm-template", slurm_template)
    merging = _read_template("--merge-template", merge_template) if merge_template else template
    folder = absolute(out or Path("runs") / f"{chosen.name}-slurm")
    name = str(absolute(Path(suite))) if suite.endswith(".toml") else suite
    paths = write_scripts(folder, name, chosen.name, shards, template, merging, options)
    say(f"{shards} jobs and a merge: {', '.join(path.name for path in paths)} in {folder}")
    say(f"next: bash {shlex.quote(str(folder / 'submit.sh'))}")


def _planned_suite(name: str, options: Sequence[str]) -> Suite:
    """The suite that the jobs run with these options of `toklab run`; a mistake shows here, not in every job.

    Raises:
        ValueError: (a subclass) if the suite can't be planned, or the jobs set an option themselves.
    """
    from ..planning.plan import plan_cells

    app = typer.Typer(add_completion=False)
    run.register(app)
    # Some versions of typer have a click of their own.
    command: Any = typer.main.get_command(app)
    given = command.make_context("toklab run", [name, *options]).params
    for option in ("shard", "out"):
        if given[option] is not None:
            raise ValueError(f"the jobs set --{option} themselves: leave it out")
    chosen = choose_suite(
        given["suite"],
        tokenizers=given["tokenizer"],
        datasets=given["dataset"],
        protocol=given["protocol"],
        protocol_changes=given["set_protocol"],
        metrics=given["metric"],
        settings=given["set_"],
    )
    plan_cells(chosen, [Path(folder) for folder in given["cards"] or ()])
    return chosen


def write_scripts(
    folder: Path,
    suite: str,
    title: str,
    shards: int,
    template: str = TEMPLATE,
    merging: str = TEMPLATE,
    options: Sequence[str] = (),
) -> list[Path]:
    """Write `array.sh`, `merge.sh` and `submit.sh` into a folder.

    Args:
        folder: absolute; made if need be, with `logs` in it. The runs will be there too.
        suite: as `toklab run` takes it.
        title: of the jobs.
        shards: jobs of the array.
        template: of the array.
        merging: template of the merge job.
        options: for `toklab run`.
    """
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    job = re.sub(r"[^\w.+-]+", "-", f"toklab-{title}")
    log = shlex.quote(str(logs))
    run = shlex.join(["toklab", "run", suite, *options])
    shard = f'{shlex.quote(str(folder / "shard"))}-"$SLURM_ARRAY_TASK_ID"'
    array = {
        "DIRECTIVES": _directives(f"job-name={job}", f"array=1-{shards}", f"output={log}/%A_%a.log", "requeue"),
        "COMMAND": f'{run} --shard "$SLURM_ARRAY_TASK_ID/{shards}" --out {shard}',
    }
    parts = [str(folder / f"shard-{number}") for number in range(1, shards + 1)]
    merge = {
        "DIRECTIVES": _directives(f"job-name={job}-merge", f"output={log}/%j_merge.log"),
        "COMMAND": shlex.join(["toklab", "merge", *parts, "--out", str(folder / "whole"), "--replace"]),
    }
    # A shard in which a window failed ends with exit code 1, and is merged all the same.
    both = (
        "#!/bin/bash\nset -euo pipefail\n"
        f"array=$(sbatch --parsable {shlex.quote(str(folder / 'array.sh'))})\n"
        'sbatch --dependency="afterany:${array%%;*}" '
        f"{shlex.quote(str(folder / 'merge.sh'))}\n"
    )
    texts = {"array.sh": _filled(template, array), "merge.sh": _filled(merging, merge), "submit.sh": both}
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return [folder / file for file in texts]


def _directives(*options: str) -> str:
    return "\n".join(f"#SBATCH --{option}" for option in options)


def _filled(template: str, values: Mapping[str, str]) -> str:
    """A template with its places filled."""
    return PLACE.sub(lambda found: values[found[1]], template)


def _read_template(option: str, path: Path | None) -> str:
    """The template that an option names, :data:`TEMPLATE` if it names none.

    Raises:
        ValueError: if it can't be read, lacks a place, has it twice, or names another one.
    """
    if path is None:
        return TEMPLATE
    if not path.is_file():
        raise ValueError(f"{option} {path}: there is no such file")
    try:
        template = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{option} {path}: this isn't text in UTF-8; give a script of bash") from None
    named = PLACE.findall(template)
    if sorted(named) != sorted(PLACES):
        places = " and ".join(f"@{place}@" for place in PLACES)
        found = ", ".join(f"@{place}@" for place in named) or "none"
        raise ValueError(f"{option} {path}: a Slurm template names {places}, each once; this one names {found}")
    return template


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(merge)
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": False})(submit)
