"""Puts a new text in the place of a file: wholly or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile

from twistlike.porting.files import readSource

__all__ = ["replaceText"]


def replaceText(path: str, old: bytes, new: bytes) -> None:
    """Replace a file's text.

    The file keeps its mode, and its owner where that is allowed; a symbolic link stays one, and the
    file behind it is replaced. A reader sees the old text or the new one.

    Args:
        path: The file.
        old: The text that the new one was made of.
        new: The new text.

    Raises:
        OSError: It cannot be written, or it is not `old` any more. The file is as it was.
    """
    real = os.path.realpath(path)
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(real), prefix=".twistlike-")
    try:
        with open(descriptor, "wb") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())  # a crash must not leave an empty file under the name
        _copyOwner(real, temporary)
        shutil.copymode(real, temporary)
        if readSource(real) != old:
            raise OSError(0, "it was changed by somebody else meanwhile", path)
        os.replace(temporary, real)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _copyOwner(source: str, target: str) -> None:
    if hasattr(os, "chown"):
        status = os.stat(source)
        with contextlib.suppress(PermissionError):
            os.chown(target, status.st_uid, status.st_gid)
