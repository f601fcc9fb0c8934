"""`flask doctor`: what this process is made of, and whether that is as it should be."""

import click
from flask.cli import with_appcontext

from app.cli.keys import hold_private_keys
from app.services import doctor


@click.command("doctor")
@click.option("--role", type=click.Choice(list(doctor.ROLES)), help="Кем этот процесс должен быть.")
@with_appcontext
def group(role: str | None) -> None:
    """Что у этого процесса есть и чего он не может. С --role код выхода 1, если это не так, как должно быть."""
    if role and doctor.ROLES[role]:
        hold_private_keys()
    findings = doctor.examine(role)
    marks = {True: "✓", False: "✗", None: "·"}
    for finding in findings:
        click.echo(f"{marks[finding.good]} {finding.text}")
    if any(finding.good is False for finding in findings):
        raise click.exceptions.Exit(1)
