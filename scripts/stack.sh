#!/bin/sh
# Where the pipeline runs, and how it is called there.
#
#   scripts/stack.sh mode                  containers or local, and why
#   scripts/stack.sh pipeline run          the `pipeline` command with its arguments, wherever it runs
#   scripts/stack.sh up                    build the images and start the stack; returns when it can produce
#   scripts/stack.sh own input             give folders to the stack's user, where root calls
#   scripts/stack.sh compose ps            docker compose with this project's files, settings and user
#
# MODE=containers or MODE=local decides; else a project stays where its work lies, and containers are taken for a new one
# where a Docker Engine answers. What else it reads, from the environment or .env: DATA_DIR, SD_ENABLED, GPU, OLLAMA_BASE_URL, EXTRA_CA_FILE, MONITORING, STACK_NAME,
# CONTAINER_ENGINE.
set -eu
cd "$(dirname "$0")/.."
PROJECT_DIR=$(pwd)
export PROJECT_DIR
venv=${VENV:-.venv}

say() { printf 'stack: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 2
}

# A setting of the stack: the environment goes before .env.
setting() {
    eval "found=\${$1:-}"
    if [ -z "$found" ] && [ -f .env ]; then
        found=$(sed -n "s/^[[:space:]]*$1=//p" .env | tail -n 1 | sed -e 's/[[:space:]]*$//' -e 's/^"\(.*\)"$/\1/' -e "s/^'\(.*\)'$/\1/")
    fi
    printf '%s' "$found"
}

engine=$(setting CONTAINER_ENGINE)
engine=${engine:-docker}

# -- which mode, and why ------------------------------------------------------------------------------------------------

# Compose 2.24 reads an env_file that need not be there; Engine 25 knows start_interval.
why_no_containers() {
    if ! command -v "$engine" >/dev/null; then
        echo "there is no $engine here"
    elif ! version=$(timeout 10 "$engine" version --format '{{.Server.Version}}' 2>/dev/null) || [ -z "$version" ]; then
        echo "no $engine engine answers"
    elif [ "$engine" = docker ] && [ "${version%%.*}" -lt 25 ]; then
        echo "the Docker Engine is $version, and 25 is needed"
    elif ! compose=$("$engine" compose version --short 2>/dev/null); then
        echo "$engine has no compose"
    elif [ "$engine" = docker ] && older "${compose#v}" 2 24; then
        echo "Docker Compose is $compose, and 2.24 is needed"
    fi
}

older() { # VERSION MAJOR MINOR
    major=${1%%.*}
    rest=${1#*.}
    [ "$major" -lt "$2" ] || { [ "$major" -eq "$2" ] && [ "${rest%%.*}" -lt "$3" ]; }
}

# What was made without containers lies in a folder, what was made in them in volumes: neither finds the other's.
has_worked_here() {
    data=$(setting DATA_DIR)
    data=${data:-.pipeline}
    [ -d "$data/store" ] && ! "$engine" volume inspect "$(stack_name)-store" >/dev/null 2>&1
}

stack_name() {
    name=$(setting STACK_NAME)
    printf '%s' "${name:-media-pipeline}"
}

decide() {
    case $(setting MODE) in
        local)
            mode=local why="MODE=local"
            ;;
        containers)
            mode=containers why="MODE=containers"
            problem=$(why_no_containers)
            [ -z "$problem" ] || fail "MODE=containers, but $problem. MODE=local needs none."
            ;;
        '' | auto)
            problem=$(why_no_containers)
            if [ -n "$problem" ]; then
                mode=local why="$problem"
            elif has_worked_here; then
                mode=local why="its work so far lies in $data/; MODE=containers begins anew in containers"
            else
                mode=containers why="a container engine answers; MODE=local does without"
            fi
            ;;
        *) fail "MODE is local, containers or auto, not '$(setting MODE)'" ;;
    esac
}

# -- the stack ------------------------------------------------------------------------------------------------------------

files="-f compose/compose.yaml"
with() { files="$files -f compose/$1.yaml"; }
ready=

prepare() {
    [ -z "$ready" ] || return 0
    ready=yes
    STACK_NAME=$(stack_name)
    STACK_VERSION=$(setting STACK_VERSION)
    [ -n "$STACK_VERSION" ] || STACK_VERSION=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' src/pipeline/__init__.py)
    choose_user
    choose_files
    BACKUP_DIR=$(setting BACKUP_DIR)
    case ${BACKUP_DIR:=$PROJECT_DIR/backups} in /*) ;; *) BACKUP_DIR=$PROJECT_DIR/$BACKUP_DIR ;; esac
    export STACK_NAME STACK_VERSION STACK_UID STACK_GID BACKUP_DIR
    for folder in input output "$BACKUP_DIR"; do
        [ -d "$folder" ] || mkdir -p "$folder"
    done
    if [ "$(id -u)" = 0 ] && { [ "$(stat -c %u output)" != "$STACK_UID" ] || [ "$(stat -c %u input)" != "$STACK_UID" ]; }; then
        say "input/, output/ and backups/ are given to uid $STACK_UID, which the containers run as: nothing in them runs as root"
        chown "$STACK_UID:$STACK_GID" input output "$BACKUP_DIR"
    fi
    theirs=$("$engine" volume inspect "$STACK_NAME-output" --format '{{.Options.device}}' 2>/dev/null || true)
    if [ -n "$theirs" ] && [ "$theirs" != "$PROJECT_DIR/output" ]; then
        fail "the stack named $STACK_NAME belongs to ${theirs%/output}. Give this one another name: STACK_NAME=other"
    fi
}

# Nothing in a container runs as root, and what root owns it could not write.
own() {
    prepare
    [ "$(id -u)" = 0 ] || return 0
    chown -R "$STACK_UID:$STACK_GID" "$@"
}

choose_user() {
    STACK_UID=$(setting STACK_UID) STACK_GID=$(setting STACK_GID)
    if [ -z "$STACK_UID" ]; then
        STACK_UID=$(id -u) STACK_GID=$(id -g)
    fi
    if [ "$STACK_UID" = 0 ]; then # under sudo: whoever called it; else the images' own user
        STACK_UID=${SUDO_UID:-10001} STACK_GID=${SUDO_GID:-10001}
    fi
    STACK_GID=${STACK_GID:-$STACK_UID}
}

choose_files() {
    pictures=$(setting SD_ENABLED)
    case $(printf %s "${pictures:-false}" | tr '[:upper:]' '[:lower:]') in
        true | 1 | yes | on) with images ;;
        false | 0 | no | off) pictures= ;;
        *) fail "SD_ENABLED is true or false, not '$pictures'" ;;
    esac
    case $(setting GPU) in
        nvidia)
            [ -n "$(setting OLLAMA_BASE_URL)" ] || with gpu
            [ -z "$pictures" ] || with gpu-images
            ;;
        '' | none) [ -z "$pictures" ] || say "no GPU (GPU=nvidia adds one): the CPU draws, and a picture takes minutes" ;;
        *) fail "GPU is nvidia or none, not '$(setting GPU)'" ;;
    esac
    OLLAMA_BASE_URL=$(setting OLLAMA_BASE_URL)
    if [ -n "$OLLAMA_BASE_URL" ]; then
        # What is this machine to a person is the container itself to a container.
        here=$(printf %s "$OLLAMA_BASE_URL" | sed -E 's#^([a-z]+://)(localhost|127\.0\.0\.1|\[::1\])([:/]|$)#\1host.docker.internal\3#')
        [ "$here" = "$OLLAMA_BASE_URL" ] || say "Ollama on this machine is $here to a container; it must listen there: OLLAMA_HOST=0.0.0.0"
        OLLAMA_BASE_URL=$here
        export OLLAMA_BASE_URL
        with external-ollama
    fi
    # SSL_CERT_FILE is where a machine behind a company's proxy names its authorities.
    EXTRA_CA_FILE=$(setting EXTRA_CA_FILE)
    EXTRA_CA_FILE=${EXTRA_CA_FILE:-${SSL_CERT_FILE:-}}
    if [ -n "$EXTRA_CA_FILE" ]; then
        [ -r "$EXTRA_CA_FILE" ] || fail "EXTRA_CA_FILE: $EXTRA_CA_FILE cannot be read"
        export EXTRA_CA_FILE
        with extra-ca
        [ -z "$pictures" ] || with extra-ca-images
    fi
    choose_monitoring
}

# What watches the stack, when it is wanted: docs/how-to/monitor.md.
watchers=
choose_monitoring() {
    watched=$(setting MONITORING)
    case $(printf %s "${watched:-false}" | tr '[:upper:]' '[:lower:]') in
        true | 1 | yes | on) watchers="prometheus alertmanager grafana docker-socket loki alloy" ;;
        metrics) watchers="prometheus alertmanager grafana" ;;
        false | 0 | no | off) return 0 ;;
        *) fail "MONITORING is true, metrics (which is without logs) or false, not '$watched'" ;;
    esac
    with monitoring
    [ -z "$pictures" ] || with monitoring-images
    case $watchers in
        *loki*)
            with monitoring-logs
            find_socket
            ;;
    esac
    # They read these files as users of their own, and a strict umask would keep them out.
    chmod -R a+rX compose/monitoring 2>/dev/null || true
    webhook=$(secret ALERT_WEBHOOK_URL)
    if [ -n "$webhook$(setting ALERT_MAIL_TO)" ]; then with monitoring-notify; fi
    mail_password=$(secret ALERT_MAIL_PASSWORD)
    password=$(secret GRAFANA_PASSWORD)
    if [ -z "$password" ] && [ -s secrets/grafana-password ]; then password=$(cat secrets/grafana-password); fi
    [ -n "$password" ] || password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    keep service-token "$(setting SERVICE_TOKEN)"
    keep grafana-password "$password"
    keep alert-webhook-url "$webhook"
    keep alert-mail-password "$mail_password"
}

# A setting that may be in a file instead, which NAME_FILE names: what is in .env is in the manager's environment too.
secret() { # NAME
    given=$(setting "$1")
    file=$(setting "$1_FILE")
    if [ -z "$given" ] && [ -n "$file" ]; then
        [ -r "$file" ] || fail "$1_FILE: $file cannot be read"
        given=$(cat "$file")
    fi
    printf '%s' "$given"
}

# A secret, for one service: the folder can be entered by its owner alone, the file can be read by whoever is given it.
keep() { # NAME VALUE
    [ -d secrets ] || mkdir -m 700 secrets
    if [ ! -f "secrets/$1" ] || [ "$(cat "secrets/$1")" != "$2" ]; then
        rm -f "secrets/$1"
        printf '%s' "$2" >"secrets/$1"
        chmod 444 "secrets/$1"
    fi
}

# Where the engine listens, and the group that may use it, as it is seen from inside a container.
find_socket() {
    DOCKER_SOCKET=$(setting DOCKER_SOCKET)
    if [ -z "$DOCKER_SOCKET" ]; then
        case ${DOCKER_HOST:-} in unix://*) DOCKER_SOCKET=${DOCKER_HOST#unix://} ;; esac
    fi
    if [ -z "$DOCKER_SOCKET" ] && [ "$engine" = podman ]; then
        DOCKER_SOCKET=${XDG_RUNTIME_DIR:-/run}/podman/podman.sock
    fi
    DOCKER_SOCKET=${DOCKER_SOCKET:-/var/run/docker.sock}
    DOCKER_SOCKET_GID=$(setting DOCKER_SOCKET_GID)
    if [ -z "$DOCKER_SOCKET_GID" ]; then
        case $(uname):$DOCKER_SOCKET in
            # An engine in a virtual machine has a socket of its own; a rootless one is root's inside.
            Darwin:* | *:/run/user/*) DOCKER_SOCKET_GID=0 ;;
            *) DOCKER_SOCKET_GID=$(stat -L -c %g "$DOCKER_SOCKET" 2>/dev/null || echo 0) ;;
        esac
    fi
    export DOCKER_SOCKET DOCKER_SOCKET_GID
}

compose() {
    prepare
    # shellcheck disable=SC2086  # $files is a list of arguments
    if [ -f .env ]; then
        "$engine" compose --env-file .env $files "$@"
    else
        "$engine" compose $files "$@"
    fi
}

up() {
    prepare
    # Said once at the start: building and fetching take minutes the first time, a moment later on.
    say "starting $STACK_NAME as uid $STACK_UID: images, models, then what needs them"
    build
    # shellcheck disable=SC2046,SC2086  # names of services, a word each
    compose up --detach --remove-orphans $(compose config --services | grep -vxF "$(printf '%s\n' door $watchers)")
    wait_for_manager
    open_door
    set_watch
}

# The first time takes minutes and is shown as it goes; later on the few lines that matter would be buried in it.
build() {
    if "$engine" image inspect "media-pipeline/manager:$STACK_VERSION" >/dev/null 2>&1; then
        built=$(mktemp)
        if ! compose build >"$built" 2>&1; then
            tail -n 40 "$built" >&2
            rm -f "$built"
            fail "the images cannot be built; the last of what the engine said is above"
        fi
        rm -f "$built"
    else
        compose build
    fi
}

# Last and for itself: a port that another program holds shuts out the page alone, and no episode waits for it.
open_door() {
    port=$(setting SERVICE_PORT)
    port=${port:-8080}
    if compose up --detach --no-deps door; then
        say "the page is at http://$(compose port door 8080)"
    else
        say "the page cannot be shown at http://localhost:$port: another program may hold that port. Episodes are made all the same; SERVICE_PORT=8081 make up takes another"
    fi
}

# What watches comes last, each for itself: no episode waits for an image that cannot be had or a port that is taken.
set_watch() {
    [ -n "$watchers" ] || return 0
    missing=
    for watcher in $watchers; do
        compose up --detach --no-deps "$watcher" || missing="$missing $watcher"
    done
    [ -z "$missing" ] || say "not there to watch:$missing; the lines above say why. Episodes are made all the same. GRAFANA_PORT, PROMETHEUS_PORT and ALERTMANAGER_PORT take other ports"
    case $missing in
        *grafana*) ;;
        *) say "Grafana is at http://$(compose port grafana 3000); its admin's password lies in secrets/grafana-password" ;;
    esac
}

# Compose has seen to it that what the manager needs can produce; the manager itself has a word written and spoken.
# (A second `up --wait` would run what runs only once again.)
wait_for_manager() {
    container=$(compose ps --all --quiet manager)
    waited=0
    while :; do
        health=$("$engine" inspect --format '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}' "$container")
        case $health in
            "running healthy") return 0 ;;
            running*) ;;
            *) waited=600 ;; # it has ended: its last lines say why
        esac
        if [ "$waited" -ge 600 ]; then
            compose logs --no-log-prefix --tail 5 manager >&2
            fail "the manager is not ready ($health); its last lines are above. make logs shows all, make doctor says more"
        fi
        sleep 1
        waited=$((waited + 1))
    done
}

# -- the command, wherever it runs ------------------------------------------------------------------------------------------

pipeline() {
    decide
    case $mode in
        local)
            scripts/setup.sh runtime
            exec "$venv/bin/pipeline" "$@"
            ;;
        containers)
            terminal=
            { [ -t 0 ] && [ -t 1 ]; } || terminal=-T
            case ${1:-} in run) up ;; esac
            prepare
            # shellcheck disable=SC2086  # nothing, or one option
            if [ -n "$(compose ps --quiet --status running manager 2>/dev/null)" ]; then
                compose exec $terminal -e LOG_FORMAT=text manager pipeline "$@"
            else
                compose run --rm --no-deps $terminal -e LOG_FORMAT=text manager "$@"
            fi
            ;;
    esac
}

what=${1:-}
[ $# -eq 0 ] || shift
case $what in
    mode)
        decide
        printf '%s: %s\n' "$mode" "$why"
        ;;
    pipeline)
        decide
        case ${1:-} in run) say "$mode ($why)" ;; esac
        pipeline "$@"
        ;;
    up) up ;;
    own) own "$@" ;;
    compose) compose "$@" ;;
    *) fail "there are mode, up, own, pipeline ARGUMENT... and compose ARGUMENT...; see the head of scripts/stack.sh" ;;
esac
