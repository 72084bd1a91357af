"""`flask …` commands, each a few lines over a service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from engine.policy import Role
from errors import LeadlineError
from jobs import demo
from jobs.training import train_now
from services import Services, unit_of_work
from services.account_mail import LINK
from services.job_service import Progress
from services.retention_service import RetentionService

COMMAND_LINE = "command line"


def register(app: Flask) -> None:
    """Give the application its commands."""
    keys = (create_key, revoke_key, list_keys)
    people = (set_up_link, create_user, reset_password, list_users, disable_user)
    state = (replay, erase_lead, retention)
    for command in (*keys, *people, *state, experiments_selftest, prediction_benchmark):
        app.cli.add_command(command)
    app.cli.add_command(retrain)
    app.cli.add_command(seed_demo)


@click.command("create-key")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, help="What the key may do.")
@with_appcontext
def create_key(name: str, scopes: tuple[str, ...]) -> None:
    """Make an API key and print it, once."""
    with _unit() as services:
        key = services.accounts.create_key(name, scopes)
    click.echo(key)


@click.command("revoke-key")
@click.argument("prefix_or_name")
@with_appcontext
def revoke_key(prefix_or_name: str) -> None:
    """Stop a key from working."""
    with _unit() as services:
        count = services.accounts.revoke_key(prefix_or_name)
    click.echo(f"{count} key{'s' if count != 1 else ''} revoked.")


@click.command("list-keys")
@with_appcontext
def list_keys() -> None:
    """Show every key, without what would open anything."""
    with _unit() as services:
        keys = services.accounts.list_keys()
    for key in keys:
        state = "revoked" if key["revoked_at"] else "good"
        click.echo(f"{key['prefix']}  {state:8}{key['name']}  {' '.join(key['scopes'])}")


@click.command("set-up-link")
@with_appcontext
def set_up_link() -> None:
    """Print the link by which the first admin comes in, while nobody works here yet."""
    with _unit() as services:
        token = services.links.make_set_up(by=COMMAND_LINE)
    if token is None:
        raise click.ClickException("Somebody works here already; see: flask --app main list-users")
    click.echo(_link(token))


@click.command("create-user")
@click.argument("email")
@click.option("--role", type=click.Choice([str(role) for role in Role]), required=True)
@click.option("--name", help="How they are called; otherwise what stands before the @.")
@with_appcontext
def create_user(email: str, role: str, name: str | None) -> None:
    """Enter somebody and print the link by which they choose a password, within 7 days."""
    with _unit() as services:
        called = name or email.partition("@")[0]
        _, token = services.people.invite(email, name=called, role=role, by=COMMAND_LINE)
    click.echo(_link(token))


@click.command("reset-password")
@click.argument("email")
@with_appcontext
def reset_password(email: str) -> None:
    """Print a link by which somebody chooses a new password; it works once."""
    with _unit() as services:
        token = services.people.make_link(services.people.get_id(email), by=COMMAND_LINE)
    click.echo(_link(token))


@click.command("list-users")
@with_appcontext
def list_users() -> None:
    """Show who works here."""
    with _unit() as services:
        people = services.people.list_all()
    for one in people:
        click.echo(f"{one.email}  {one.role:9}{one.state:9}{one.name}")


@click.command("disable-user")
@click.argument("email")
@with_appcontext
def disable_user(email: str) -> None:
    """Keep somebody out from now on; they are signed out everywhere."""
    with _unit() as services:
        services.people.disable(services.people.get_id(email), by=COMMAND_LINE)
    click.echo(f"{email} is disabled.")


@click.command("replay")
@with_appcontext
def replay() -> None:
    """Recompute every ledger and score from the facts and print what differs."""
    with _unit() as services:
        report = services.replays.replay_all()
    for difference in report.differences[:50]:
        click.echo(difference)
    click.echo(f"{report.sessions} sessions, {report.facts} facts replayed")
    click.echo(f"{len(report.differences)} differences")
    click.echo(f"state hash {report.hash}")
    if report.differences:
        raise SystemExit(1)


@click.command("erase-lead")
@click.argument("lead_id", type=int)
@with_appcontext
def erase_lead(lead_id: int) -> None:
    """Remove a person from every table; counts and points stay."""
    with _unit() as services:
        services.privacy.erase_lead(lead_id, actor=COMMAND_LINE)
    click.echo(f"Lead {lead_id} erased.")


@click.command("retention")
@click.option("--dry-run", is_flag=True, help="Only count; change nothing.")
@click.option("--force", is_flag=True, help="Pass the guard against clocks that jump.")
@with_appcontext
def retention(dry_run: bool, force: bool) -> None:
    """Take what was typed out of old talks that led to no contact, as the clock does nightly."""
    progress = Progress()
    while progress.result is None:
        with _unit() as services:
            progress = services.make(RetentionService).go_on(
                progress.place, actor=COMMAND_LINE, force=force, dry_run=dry_run
            )
    said = progress.result
    click.echo(f"{progress.total} of {said['sessions']} sessions are older than {said['before']}")
    click.echo(f"{said['blanked']} sessions blanked")
    if said.get("stopped"):
        raise click.ClickException(said["stopped"])


@click.command("seed-demo")
@with_appcontext
def seed_demo() -> None:
    """Fill an empty database with a believable shop; needs DEMO_MODE."""
    resources = current_app.extensions["leadline"]
    if not resources.settings.DEMO_MODE:
        raise click.ClickException("Set DEMO_MODE=true: demo data and real leads do not mix.")
    said = 0
    for said, line in enumerate(demo.fill(resources), start=1):
        click.echo(line)
    if not said:
        raise click.ClickException("This database is not empty; nothing was changed.")


@click.command("retrain")
@with_appcontext
def retrain() -> None:
    """Learn from all outcomes so far; the model is promoted only if it is better."""
    try:
        kept = train_now(current_app.extensions["leadline"], by=COMMAND_LINE)
    except LeadlineError as error:
        raise click.ClickException(error.message) from None
    for model in kept.get("models", [kept]):
        state = "promoted" if model["promoted"] else "not promoted"
        click.echo(f"{model['model_id']}  {model['stage']}  {model['label']}  {state}")
        for reason in model["reasons"]:
            click.echo(f"  {reason}")


@click.command("experiments-selftest")
@click.option("--full", is_flag=True, help="Ten times as many runs: minutes instead of seconds.")
def experiments_selftest(full: bool) -> None:
    """Show by simulation what the statistics promise, each beside the wrong way failing."""
    # Here, because a process that serves chats must not import NumPy and SciPy.
    from engine.statistics.simulations.checks import FULL, QUICK
    from engine.statistics.simulations.selftest import run_all

    failed = 0
    click.echo(f"{'':6}{'measured':>12}  {'must be':16}{'wrong way':>12}  {'must be':12}what")
    for check in run_all(FULL if full else QUICK):
        failed += not check.passed
        click.echo(
            f"{'ok' if check.passed else 'FAIL':6}{check.measured:>12.4f}  {str(check.limit):16}"
            f"{check.control:>12.4f}  {str(check.control_limit):12}{check.name}"
        )
    click.echo(f"{failed} failed")
    if failed:
        raise SystemExit(1)


@click.command("prediction-benchmark")
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of bank-full.csv and online_shoppers_intention.csv.",
)
def prediction_benchmark(data: Path) -> None:
    """Measure the prediction on public data and print each figure beside what is wanted."""
    # Here, so that no other command waits for scikit-learn.
    from ml import benchmark

    missed = 0
    try:
        for line in benchmark.run(data):
            click.echo(str(line))
            missed += not line.good
    except LeadlineError as error:
        raise click.ClickException(error.message) from None
    click.echo(f"{missed} figures missed" if missed else "every figure is as wanted")
    if missed:
        raise SystemExit(1)


def _link(token: str) -> str:
    """The address of a one-time link, as far as the settings know where this program is."""
    settings = current_app.extensions["leadline"].settings
    return f"{settings.APP_URL or f'http://127.0.0.1:{settings.PORT}'}{LINK}{token}"


@contextmanager
def _unit() -> Iterator[Services]:
    """One transaction of the application; an error of ours is one sentence, no stack trace."""
    try:
        with unit_of_work(current_app.extensions["leadline"]) as services:
            yield services
    except LeadlineError as error:
        raise click.ClickException(error.message) from None
