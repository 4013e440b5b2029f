"""The page on troubleshooting: it has each error and each message of the log."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.oracle import ROOT
from tests.test_shape import FACE, MODULES, fullName, literalAll, modules, room, tree

PAGE = ROOT / "docs" / "troubleshooting.md"

# Functions that write into the log, by the last part of their names.
LOGS = {"callUser", "emit", "error", "failure", "info", "report", "warn", "warning"}
LOGS |= {"fail", "failLoudly", "writeToStderr"}

# What is not for the page: commands that explain themselves, helpers of tests whose messages are
# assertions, and what others' rules say literally (a file-like object, a name that is no module).
LEFT_OUT = {"porting", "_tasks.testing", "_net.testing", "_log.logger", "_log.legacy"}
LEFT_OUT |= {
    "_base.reflect",
    "_base.frames",
    "overlay.messages",
    "overlay.with_twisted",
    "__main__",
}

# Refused arguments say themselves what is wanted and what was found: one entry has them all.
REFUSED = re.compile(r"\b(not|has no|has none|have no|is no|needs|takes)\b|>= 1|X is |Invalid")
# Ours alone: who runs into them has another error first, or they are part of another message.
INSIDE = re.compile(r"^(waiters|workers|total): X$|^descriptor X is too high|^Event loop is closed")


def literal(node: ast.expr) -> str:
    """The text that an expression gives, with an X for what is filled in; "" if it has none."""
    if isinstance(node, ast.Constant):
        text = node.value if isinstance(node.value, str) else ""
        return re.sub(r"%[-.\d]*[a-z]|\{[^}]*\}", "X", "" if text.isspace() else text)
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(part) or "X" for part in node.values)
    if isinstance(node, ast.BinOp) and (literal(node.left) or literal(node.right)):
        return (literal(node.left) or "X") + (literal(node.right) or "X")
    if isinstance(node, ast.IfExp):
        return literal(node.body) or literal(node.orelse)
    return ""


def messages() -> Iterator[tuple[str, str, str]]:
    """Each message of the source: its place, the error's class or "log", the text."""
    for module in MODULES:
        if any(module == each or module.startswith(f"{each}.") for each in LEFT_OUT):
            continue
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                call, kind = node.exc, ast.unparse(node.exc.func)
            elif isinstance(node, ast.Call):
                call, kind = node, "log"
                if ast.unparse(node.func).rpartition(".")[2] not in LOGS:
                    continue
            else:
                continue
            for argument in call.args:
                text = literal(argument)
                if re.search(r"[a-z]{2,} ", text) or text.startswith("Unhandled"):
                    yield f"{module}:{argument.lineno}", kind, text


def said(node: ast.AST) -> str:
    """The text of a literal in the source, wherever it is."""
    return literal(node) if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp) else ""


@cache
def entries() -> list[str]:
    """The code in the page's terms: what a reader sees, with dots for what is filled in."""
    page = PAGE.read_text(encoding="utf-8")
    terms = re.findall(r"^(`.+|\*.+)\n: ", page, re.MULTILINE)
    return [code for term in terms for code in re.findall(r"`([^`]+)`", term)]


@cache
def patterns() -> list[re.Pattern[str]]:
    """The terms as patterns, without the names of errors before them."""
    found = []
    for entry in entries():
        text = re.sub(r"^[A-Z]\w+: ", "", entry)
        parts = re.split(r"\.\.\.|\b[NMS]\b|\bNAME\b", text)
        if len(text.split()) > 1 and sum(len(part.strip()) for part in parts) > 6:
            found.append(re.compile(".*".join(map(re.escape, parts)).replace("\\ ", r"\s")))
    return found


def isRefused(kind: str, text: str) -> bool:
    """Whether a message is about an argument, and says what was found."""
    return kind in ("TypeError", "ValueError", "NotImplementedError") and bool(REFUSED.search(text))


def test_each_message_of_the_source_is_on_the_page() -> None:
    """Whoever searches the page for a message that they got finds its cause."""
    missing = [
        f"{place}: {kind}: {text}"
        for place, kind, text in messages()
        if not isRefused(kind, text)
        and not INSIDE.search(text)
        and not any(pattern.search(text) for pattern in patterns())
    ]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize(
    "module",
    [m for m in MODULES if room(m) in FACE and modules()[m].name != "__init__.py"],
)
def test_each_public_error_is_on_the_page(module: str) -> None:
    """The page names each class of error that a program can catch."""
    page = PAGE.read_text(encoding="utf-8")
    loaded = importlib.import_module(fullName(module))
    errors = [
        name
        for name in literalAll(tree(module)) or []
        if isinstance(value := getattr(loaded, name), type) and issubclass(value, BaseException)
    ]
    missing = [name for name in errors if not re.search(rf"\b{name}\b", page)]
    assert not missing


def test_each_term_of_the_page_is_a_message() -> None:
    """No entry outlives the message that it explains."""
    texts = {text for module in MODULES for node in ast.walk(tree(module)) if (text := said(node))}
    stale = [
        pattern.pattern for pattern in patterns() if not any(pattern.search(text) for text in texts)
    ]
    assert not stale, "\n".join(stale)
