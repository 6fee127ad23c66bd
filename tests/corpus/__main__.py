"""`python -m tests.corpus [NAME ...]`: fetches the packages, inspects their model files, tells what is not as the table says."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.corpus.check import differences, rows, told, write
from tests.corpus.fetch import FetchError, fetch, packages

DEST = Path("build/corpus")


def main() -> int:
    """0 when all is as the table says."""
    parser = argparse.ArgumentParser(prog="python -m tests.corpus", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="packages; all of the table when none is named")
    parser.add_argument("--dest", type=Path, default=DEST, help="where the files are kept")
    parser.add_argument("--write", action="store_true", help="write what was found into the table")
    given = parser.parse_args()
    wrong = 0
    found = []
    for package in packages(given.names):
        try:
            folder = fetch(package, given.dest)
        except FetchError as error:
            print(f"{package.folder}: {error}", file=sys.stderr)
            wrong += 1
            continue
        for row in rows():
            if row.folder != package.folder:
                continue
            one = told(row.package, row.version, row.path, folder / row.path)
            found.append(one)
            if not given.write:
                problems = list(differences(row, one))
                wrong += len(problems)
                print(
                    *(
                        problems
                        or [f"{row.folder}/{row.path}: {one.format} {one.framework} {one.framework_version}".rstrip()]
                    ),
                    sep="\n",
                )
    if given.write:
        kept = {(one.folder, one.path) for one in found}
        write([*found, *(row for row in rows() if (row.folder, row.path) not in kept)])
    print(f"{len(found)} files, {wrong} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
