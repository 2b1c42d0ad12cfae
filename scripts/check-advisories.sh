#!/bin/sh
# Asks the Python Package Index for known holes in everything that is locked (pip-audit). It needs the network, so it is
# no part of `make check`. Advisories that could not be had are a failure here: `--strict`, for without it pip-audit
# skips what an index does not tell of, says that nothing was found, and ends well.
set -eu
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
say() { printf 'audit: %s\n' "$*" >&2; }

failed=
for lock in requirements/*.lock; do
    say "$lock"
    "$venv/bin/pip-audit" --strict --disable-pip --require-hashes --progress-spinner off --requirement "$lock" ||
        failed="$failed $lock"
done
if [ -n "$failed" ]; then
    say "not clean:$failed"
    say 'a hole that is named: raise the version (make lock); "could not be audited" or no connection: nothing was'
    say 'checked, ask again where https://pypi.org/pypi/<package>/json can be reached'
    exit 1
fi
say 'no known holes in anything that is locked'
