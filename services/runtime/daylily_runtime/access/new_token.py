"""Make a bearer token and the line for the file of identities.

    python -m daylily_runtime.access.new_token            # shows the token, once
    python -m daylily_runtime.access.new_token FILE       # writes it there, readable by you alone

The token goes to its bearer, the hash into the file that DAYLILY_IDENTITIES names.
"""

import os
import sys
from pathlib import Path

from daylily_runtime.access.tokens import hash_of, new_token


def main(arguments: list[str] | None = None) -> int:
    """Make one, and give the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) > 1 or any(word.startswith("-") for word in given):
        sys.stderr.write(__doc__)
        return 2
    token = new_token()
    if given:
        try:
            write_token(Path(given[0]), token)
        except OSError as error:
            sys.stderr.write(f"{given[0]} cannot be written: {error.strerror}\n")
            return 1
    else:
        sys.stdout.write(f"token: {token}\n")
    sys.stdout.write(f"hash:  {hash_of(token)}\n")
    return 0


def write_token(path: Path, token: str) -> None:
    """Write a new file with mode 0600; one that is there is left alone."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w") as file:
        file.write(token + "\n")


if __name__ == "__main__":
    sys.exit(main())
