"""`attribution serve`: the web application, with pages for people and an API for programs."""

from __future__ import annotations

import os

import click

from attribution_assets.command.options import DATABASE, plain_errors, settings_with

OF_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


@click.command("serve")
@DATABASE
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on.")
@click.option(
    "--create-admin",
    "creates_admin",
    is_flag=True,
    help=(
        "First make an account that may do everything. Its name and password are asked for, unless DJANGO_SUPERUSER_USERNAME "
        "and DJANGO_SUPERUSER_PASSWORD have them."
    ),
)
def serve_(database: str | None, host: str, port: int, creates_admin: bool) -> None:
    """Serve the reports as pages, and as an API. Needs the extra `web`.

    Accounts, sessions and runs are kept in the file that ATTRIBUTION_WEB_DATABASE names, which is created if need be. The
    server only reads the database. Ctrl-C ends it; a run that was started from a page goes on.
    """
    with plain_errors():
        settings = settings_with(database=database)
        from attribution_assets.web.serve import prepare, serve

        prepare(settings)
        from attribution_assets.web.accounts import is_there

        if creates_admin:
            _create_admin()
        elif not is_there():
            click.echo("There is no account yet. Make one with `attribution serve --create-admin`.", err=True)
        if host not in OF_THIS_MACHINE and not settings.web_url:
            click.echo(
                f"Only who asks for {', '.join(OF_THIS_MACHINE)} is answered. Set ATTRIBUTION_WEB_URL to what people use.",
                err=True,
            )
        serve(host, port, lambda url: click.echo(f"Serving {settings.database} at {url}. Ctrl-C ends it.", err=True))


def _create_admin() -> None:
    from attribution_assets.web.accounts import create_admin, is_there

    name = os.environ.get("DJANGO_SUPERUSER_USERNAME") or click.prompt("Name", err=True)
    if is_there(name):
        click.echo(f"There is an account {name} already, which stays as it is.", err=True)
        return
    password = os.environ.get("DJANGO_SUPERUSER_PASSWORD")
    create_admin(name, password or click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    click.echo(f"{name} may do everything, and make other accounts at /admin/.", err=True)
