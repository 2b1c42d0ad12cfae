#!/bin/sh
# Looks through every file that git keeps for passwords, tokens and keys (detect-secrets), and fails where one is new.
#
# What looks like a secret and is none stands in .secrets.baseline, by file and digest, wherever in the file it moves:
#   - in tests: names and passwords made up for them, which they then look for in logs, backups and messages;
#     a certificate's key of four letters, which is to be refused;
#   - in src and docs: digests and commits (hexadecimal by nature), and example.org addresses with made-up names.
# A new one of these is taken in so, and looked at in `git diff`:
#   .venv/bin/detect-secrets scan --baseline .secrets.baseline
# Not looked at: lock files, of which each line is a digest, and the fonts. Not looked for: keys of services that nothing
# here speaks to (Stripe, Twilio and the like), which have detectors of their own and are found by entropy and name too.
set -eu
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
LEFT_OUT='\.(lock|ttf)$|^\.secrets\.baseline$'
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT
export venv kept

git ls-files -z --error-unmatch .secrets.baseline >/dev/null || {
    echo 'secrets: .secrets.baseline is not kept by git: there is nothing to compare with' >&2
    exit 2
}
# The hook writes new line numbers into its baseline and calls that a failure (3); it gets a copy to do so.
# shellcheck disable=SC2016  # the inner shell's own
git ls-files -z | grep -zvE "$LEFT_OUT" | xargs -0 -n 200 -P "$(getconf _NPROCESSORS_ONLN)" sh -c '
    own=$kept/$$
    cp .secrets.baseline "$own"
    "$venv/bin/detect-secrets-hook" --no-verify --baseline "$own" "$@" >"$own.said" && exit 0
    [ $? -eq 3 ] && exit 0
    cat "$own.said" >&2
    exit 1
' sh || {
    echo 'secrets: take it out, and where it ever was a real one, have it changed; what is none: see scripts/check-secrets.sh' >&2
    exit 1
}
