#!/bin/sh
# Keeps input, settings, edits, records and episodes in one checked file: `pipeline backup`, wherever the pipeline runs.
#
#   scripts/backup.sh                          into backups/
#   scripts/backup.sh --verify --keep 7        read back; all but the newest seven removed
#   scripts/backup.sh --help                   everything that can be asked for
#
# BACKUP_DIR=folder chooses where to; a relative one lies in the project. The stack may be up or down. MODE=containers or
# MODE=local decides where it runs, else scripts/stack.sh does.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)
venv=${VENV:-.venv}
say() { printf 'backup: %s\n' "$*" >&2; }

mode=$(scripts/stack.sh mode)
say "$mode"
case $mode in
    local*)
        folder=${BACKUP_DIR:-backups}
        case $folder in /*) ;; *) folder=$root/$folder ;; esac
        [ -x "$venv/bin/pipeline" ] || scripts/setup.sh runtime
        # What is asked for comes last, so that another --to or --project goes before these.
        exec "$venv/bin/pipeline" backup --project "$root" --to "$folder" "$@"
        ;;
esac

secrets=
for argument; do
    case $argument in
        --to | --to=* | --project | --project=*)
            say "in containers the folder is chosen with BACKUP_DIR=…, and the project is this one"
            exit 2
            ;;
        --with-secrets) secrets=$root/.env ;;
    esac
done
# The manager sees its settings, not the file that they stand in; it is shown that where it is asked for.
set -- manager backup --project /project --to /backups "$@"
[ -f "$secrets" ] && set -- -v "$secrets:/project/.env:ro" "$@"
# What it says is in the container's words; a person looks for the file in this machine's folder.
folder=${BACKUP_DIR:-$(sed -n 's/^BACKUP_DIR=//p' .env 2>/dev/null | tail -n 1)}
case ${folder:=backups} in /*) ;; *) folder=$root/$folder ;; esac
status=0
said=$(scripts/stack.sh compose run --rm --no-deps -T "$@") || status=$?
printf '%s' "${said:+$said
}" | awk -v folder="$folder" '{
    rest = $0; line = ""
    while ((at = index(rest, "/backups/")) > 0) {
        line = line substr(rest, 1, at - 1) folder "/"
        rest = substr(rest, at + 9)
    }
    print line rest
}'
exit "$status"
