"""Images of the book on disk, and the notices they make superfluous. Times in s since the start of the scenario.

An image is a file beside the accounts: written whole, synced and renamed before the accounts name it, so at any moment
they name one that is whole. From then on a start reads it and the notices after it. Those before it stay for as long as
the same notice may come again, and go then; what could have been among them is not taken any more.
"""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bidder.errors import ServeError
from bidder.image import Image, merged, moved, without
from bidder.server.entries import Sort
from bidder.server.store import BIDS_UNTIL_S, CONVERSIONS_UNTIL_UNIX_S, DROPPED, Session, Store

DROP_AT_ONCE = 2000
"""Notices looked at in one transaction: more would let those that wait for the disk wait too long."""
GRACE_S = 60.0
"""By how much a clock may have gone differently elsewhere."""
ALL_CONVERSIONS = 0
"""The campaign number that stands for conversions in the table of what is covered."""
_DIGEST = 32
_SUFFIX = ".image"


def encoded(image: Image) -> bytes:
    """The image as a file holds it: a digest of the rest, and the rest packed."""
    packed = zlib.compress(msgspec.msgpack.encode(image), 1)
    return hashlib.sha256(packed).digest() + packed


def decoded(data: bytes) -> Image:
    """The image in a file; raises `ValueError` when it is damaged."""
    packed = data[_DIGEST:]
    if hashlib.sha256(packed).digest() != data[:_DIGEST]:
        raise ValueError("it is not what was written")
    return msgspec.msgpack.decode(zlib.decompress(packed), type=Image)


def name_of(seq: int, worker: int) -> str:
    """Name of the image that holds everything up to notice *seq*."""
    return f"book-{seq}-{worker}{_SUFFIX}"


def read_image(store: Store) -> Image | None:
    """The image the accounts name; None: there is none yet. Within `Store.view`.

    Raises `FileNotFoundError` when another worker has just replaced it, and `ServeError` when it is damaged.
    """
    name = store.meta().get("image")
    if name is None:
        return None
    try:
        return decoded((store.folder / name).read_bytes())
    except (ValueError, msgspec.MsgspecError, zlib.error) as error:
        raise ServeError(f"{store.folder / name}: is damaged ({error}); restore the whole folder") from None


def write_image(folder: Path, name: str, image: Image, numbers: Sequence[int], before: str) -> None:
    """Put the image on disk, with what the one called *before* ("": none) knows of campaigns beside *numbers*."""
    if before:
        rest = without(decoded((folder / before).read_bytes()), numbers)
        image = merged(image, rest)
    fresh = folder / f"{name}.new"
    with fresh.open("wb") as file:
        file.write(encoded(image))
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(folder / name)
    listing = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(listing)
    finally:
        os.close(listing)


def move_people(store: Store, rows: NDArray[np.int32]) -> str:
    """Write the image the accounts name once more, with people where *rows* says (`bidder.image.moved`); returns its
    name, for the accounts to take over. "": there is none. For whoever has the folder alone."""
    with store.view():
        image = read_image(store)
    if image is None:
        return ""
    image.exposures = moved(image.exposures, rows)
    name = f"book-moved-{time.time_ns()}{_SUFFIX}"
    write_image(store.folder, name, image, (), "")
    return name


def remove_others(folder: Path, name: str) -> None:
    """Remove all images but the one called *name*, and what was left half-written."""
    for path in [*folder.glob(f"book-*{_SUFFIX}"), *folder.glob(f"book-*{_SUFFIX}.new")]:
        if path.name != name:
            path.unlink(missing_ok=True)


def cover(session: Session, name: str, numbers: Sequence[int], seq: int, before: str) -> bool:
    """From now on the image is *name*, which holds what these campaigns did up to *seq*; unless another has taken the
    place of the one called *before*."""
    known = session.execute("SELECT value FROM meta WHERE name = 'image'")
    if known != ([(before,)] if before else []):
        return False
    session.set_meta("image", name)
    for no in (ALL_CONVERSIONS, *numbers):
        session.execute("INSERT OR REPLACE INTO covered VALUES (?, ?)", no, seq)
    return True


def drop(session: Session, after: int, keep_s: float) -> int | None:
    """Look at the next notices after number *after* and drop what the image holds and nobody can send again.

    Bids' notices stay for *keep_s* after they were heard and their bid was made; conversions until they expire.
    Returns where to go on; None: the rest is too new.
    """
    ((began_s,),) = session.execute("SELECT coalesce(max(value), 0) FROM meta WHERE name = 'began_s'")
    bids_s, unix_s = session.now_s - keep_s, float(began_s) + session.now_s - GRACE_S
    rows = session.execute(
        "SELECT n.seq, n.sort, n.made_s, n.heard_s, coalesce(c.seq, 0) FROM notices n "
        "LEFT JOIN covered c ON c.campaign = max(n.campaign, ?) WHERE n.seq > ? ORDER BY n.seq LIMIT ?",
        *(ALL_CONVERSIONS, after, DROP_AT_ONCE),
    )
    newest, gone, at_end = session.last_seq(), [], len(rows) < DROP_AT_ONCE
    for seq, sort, made_s, heard_s, covered in rows:
        if heard_s >= bids_s:
            at_end = True
            break
        old = 0.0 < made_s <= unix_s if sort == Sort.CONVERSION else made_s < bids_s
        # The last one stays: its number must not be given again, and a clock goes on from it.
        if old and seq <= covered and seq < newest:
            gone.append(seq)
    if gone:
        session.execute(f"DELETE FROM notices WHERE seq IN ({','.join(map(str, gone))})")
        for name, value in ((DROPPED, gone[-1]), (BIDS_UNTIL_S, bids_s), (CONVERSIONS_UNTIL_UNIX_S, unix_s)):
            session.set_meta(name, repr(max(value, session.measured(name))))
    return None if at_end else rows[-1][0]
