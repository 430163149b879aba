"""`bidlab dmp consent|export|erase|compact`: what a person allows, sees and has forgotten."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from experiments.cli.audience import HOME, Folder, Who, command, hidden, user


@command("consent")
def consent(
    identifier: Annotated[str, typer.Argument(metavar="KIND:VALUE")],
    allow: Annotated[str, typer.Option("--allow", help="Purposes with commas between, or all.")] = "",
    refuse: Annotated[str, typer.Option("--refuse", help="Purposes with commas between, or all.")] = "",
    origin: Annotated[str, typer.Option("--from", help="Where the decision came from.")] = "command line",
    store: Folder = HOME,
) -> None:
    """Enter what a person allowed or refused; it reaches every identity certainly theirs."""
    from dmp import rights
    from dmp.consent import mask_of
    from dmp.errors import ConsentError
    from dmp.store import Store

    if bool(allow) == bool(refuse):
        raise ConsentError("give either --allow or --refuse, for example --refuse all")
    purposes = mask_of([word.strip() for word in (allow or refuse).split(",")])
    count = (rights.allow if allow else rights.refuse)(Store(store), identifier, purposes, origin)
    print(f"entered for {count} {'identity' if count == 1 else 'identities'}")


@command("export")
def export(
    identifier: Annotated[str, typer.Argument(metavar="KIND:VALUE")],
    store: Folder = HOME,
    who: Who = None,
) -> None:
    """Print everything stored of a person, as JSON."""
    from dmp.audience import Reader, open_audience
    from dmp.consent import STORAGE
    from dmp.rights import export_person
    from dmp.store import Store

    opened = open_audience(Store(store), STORAGE, Reader(user(who), f"export {hidden(identifier)}"))
    print(json.dumps(export_person(opened, identifier), indent=2, ensure_ascii=False))


@command("erase")
def erase(
    identifier: Annotated[str, typer.Argument(metavar="KIND:VALUE")],
    store: Folder = HOME,
    who: Who = None,
) -> None:
    """Forget a person: their data leave the files, only the refusal stays."""
    from dmp.rights import erase
    from dmp.store import Store

    count = erase(Store(store), identifier, user(who))
    print(f"{count} {'identity' if count == 1 else 'identities'} erased")


@command("compact")
def compact(store: Folder = HOME, who: Who = None) -> None:
    """Remove from the files everybody who does not allow storage."""
    from dmp.rights import compact
    from dmp.store import Store

    print(f"{compact(Store(store), user(who)):,} identities removed")
