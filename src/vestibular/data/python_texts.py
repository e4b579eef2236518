"""Parser for the printed forms of lists, dictionaries and arrays, which executes nothing.

A table that went through pandas' `to_csv` contains such texts where its cells were lists.
"""

import ast
import io
import re
import tokenize
import warnings
from typing import Any

PRINTED = re.compile(
    r"""\s*(?:
      (?:np\.|numpy\.)?array\(
    | (?:OrderedDict|deque|frozenset|tensor|Index)\([\[({]
    | [\[({]\s*(?:['"\[{(]|[rbuRBU]['"]|(?:np\.|numpy\.)?array\(|None\b|nan\b|True\b|False\b)
    | \{\s*\d+\s*:
    )""",
    re.VERBOSE,
)
"""Beginnings of texts that look like a printed list, dictionary or array."""
NAMES = {"nan": None, "NaN": None, "null": None}
ARRAYS = ("array", "list", "tuple", "set", "deque", "frozenset", "tensor", "Index")
VALUES = (tokenize.STRING, tokenize.NUMBER)
END = (tokenize.NEWLINE, tokenize.NL, tokenize.ENDMARKER, tokenize.INDENT, tokenize.DEDENT)


class NotPythonError(ValueError):
    """A text looks like a printed list but is not one."""


def looks_printed(text: str) -> bool:
    """Return whether a text looks like a printed list, tuple, dictionary, set or array."""
    return PRINTED.match(text) is not None


def read_printed(text: str) -> Any:
    """Return the lists, dictionaries, texts and numbers of a printed form.

    Arrays, tuples and sets become lists. Texts next to each other without a comma are elements of
    an array, as numpy prints them.

    Raises:
        NotPythonError: it is not a printed form, is cut off, or contains an ellipsis (`...`).
    """
    try:
        with warnings.catch_warnings():
            # about escapes that Python does not know
            warnings.simplefilter("ignore")
            return _value(ast.parse(_with_commas(text.strip()), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise NotPythonError(
            str(error.args[0]) if error.args else "it is nested too deeply"
        ) from None


def _with_commas(text: str) -> str:
    """Return the text with commas between array elements that numpy prints without them."""
    lines = text.splitlines(keepends=True)
    gaps = []
    before = None
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in END:
            continue
        if before is not None and _stand_apart(before, token):
            gaps.append(before.end)
        before = token
    for line, column in reversed(gaps):
        lines[line - 1] = f"{lines[line - 1][:column]},{lines[line - 1][column:]}"
    return "".join(lines)


def _stand_apart(before: tokenize.TokenInfo, after: tokenize.TokenInfo) -> bool:
    """Return whether two consecutive tokens are two elements."""
    opens = after.string in ("[", "(", "{")
    if before.type in VALUES:
        return after.type in VALUES or opens
    return before.string == "]" and after.string == "["


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.Name(id=name) if name in NAMES:
            return NAMES[name]
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return [_value(item) for item in items]
        case ast.Dict(keys=keys, values=values) if None not in keys:
            read = [_value(key) for key in keys if key is not None]
            if len(set(map(str, read))) < len(read):
                raise NotPythonError("a dictionary has the same key twice")
            return dict(zip(map(str, read), map(_value, values), strict=True))
        case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in ARRAYS:
            return _value(first)
        case ast.Call(func=ast.Name(id="OrderedDict"), args=[ast.List(elts=pairs)]) if all(
            isinstance(pair, ast.Tuple) and len(pair.elts) == 2 for pair in pairs
        ):
            return {str(key): value for key, value in map(_value, pairs)}
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np" | "numpy"), attr=name), args=args):
            # numpy 2 prints numbers as np.int64(3)
            if len(args) == 1 or (args and name in ARRAYS):
                return _value(args[0])
    raise NotPythonError(f"{ast.unparse(node)[:60]} is not a list, dictionary, text or number")
