#!/bin/sh
# Brings a backup back: `pipeline restore`, wherever the pipeline runs. All of it is verified before anything is written.
#
#   scripts/restore.sh backups/pipeline-20260101T030000Z.tar
#   scripts/restore.sh FILE --replace          move what is there aside; nothing is deleted
#   scripts/restore.sh FILE --only output/moon only this
#   scripts/restore.sh FILE --list             what it holds; writes nothing
#   scripts/restore.sh                         finish a restore that was cut off
#
# The stack may be up or down. MODE=containers or MODE=local decides where it runs, else scripts/stack.sh does.
set -eu
here=$(pwd)
cd "$(dirname "$0")/.."
root=$(pwd)
venv=${VENV:-.venv}
say() { printf 'restore: %s\n' "$*" >&2; }

# The one argument that is no option, nor an option's value, is the file: relative to where this was called from, and,
# as `make restore BACKUP=backups/…` is called from anywhere, to the project.
file='' value='' secrets='' count=$#
while [ "$count" -gt 0 ]; do
    argument=$1
    shift
    count=$((count - 1))
    if [ -n "$value" ]; then
        value=
    else
        case $argument in
            --only | --project) value=yes ;;
            --with-secrets) secrets=yes ;;
            -*) ;;
            *)
                if [ -n "$file" ]; then
                    say "one backup at a time: $file, or $argument"
                    exit 2
                fi
                case $argument in
                    /*) file=$argument ;;
                    *)
                        file=$here/$argument
                        [ -f "$file" ] || [ ! -f "$root/$argument" ] || file=$root/$argument
                        ;;
                esac
                continue
                ;;
        esac
    fi
    set -- "$@" "$argument"
done

mode=$(scripts/stack.sh mode)
say "$mode"
case $mode in
    local*)
        [ -x "$venv/bin/pipeline" ] || scripts/setup.sh runtime
        if [ -n "$file" ]; then set -- "$file" "$@"; fi
        exec "$venv/bin/pipeline" restore --project "$root" "$@"
        ;;
esac

if [ -n "$secrets" ]; then
    say "a container cannot put .env in place. Take it out of the backup yourself: tar -xOf FILE project/.env > .env"
    exit 2
fi
# The manager may only read input/ and config/; for this once both are shown to it where it may write.
mkdir -p "$root/input" "$root/config"
scripts/stack.sh own "$root/input" "$root/config"
set -- -v "$root/input:/restore/input" -e INPUT_DIR=/restore/input \
    -v "$root/config:/restore/config" -e CONFIG_DIR=/restore/config \
    manager restore --project /project "$@"
if [ -n "$file" ]; then
    folder=$(cd "$(dirname "$file")" && pwd)
    # The folder is mounted, not the file: whoever wrote it meant this folder's owner to read it.
    set -- -v "$folder:/restore/from:ro" "$@" "/restore/from/$(basename "$file")"
fi
exec scripts/stack.sh compose run --rm --no-deps -T "$@"
