"""The encoding of source files, as Python has it: UTF-8, or what one of the first two lines declares."""

import tokenize


def decode(data: bytes) -> str:
    """The text of a source file, without a byte-order mark. Raises SyntaxError where Python would."""
    encoding = _declared(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        raise SyntaxError(f"not {name} text: {error.reason} at byte {error.start}") from error
    except (LookupError, UnicodeError) as error:
        raise SyntaxError(str(error)) from error


def encode(text: str) -> bytes:
    """The text as a file would hold it, without a byte-order mark. Raises SyntaxError where none can."""
    plain = text.encode("utf-8", "surrogatepass")
    encoding = _declared(plain)
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        raise SyntaxError(f"{error.reason} in the declared encoding {encoding}") from error
    except (LookupError, UnicodeError) as error:
        raise SyntaxError(str(error)) from error


def _declared(data: bytes) -> str:
    lines = iter(data.splitlines(keepends=True)[:2])
    return tokenize.detect_encoding(lambda: next(lines, b""))[0]
