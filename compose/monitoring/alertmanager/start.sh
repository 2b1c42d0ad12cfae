#!/bin/sh
# Starts Alertmanager with a configuration made of the settings, so that no file with an address or a password lies in
# the project or in an image. With --print it says what it would start with, and starts nothing.
#
# Read are ALERT_MAIL_TO, ALERT_MAIL_FROM, ALERT_MAIL_SMARTHOST, ALERT_MAIL_USER, ALERT_MAIL_TLS, ALERTMANAGER_URL (what
# the links in messages begin with), and, in the folder SECRETS, alert_webhook_url and alert_mail_password; what is empty
# is not set. Without an address to write to and one to call nobody is told: the alerts are seen in Alertmanager,
# Prometheus and Grafana.
set -eu
umask 077
secrets=${SECRETS:-/run/secrets}

fail() {
    printf 'alertmanager: %s\n' "$*" >&2
    exit 2
}

# A value in YAML's single quotes, in which only the quote itself means anything.
quoted() {
    printf "'%s'" "$(printf %s "$1" | sed "s/'/''/g")"
}

secret() {
    if [ -s "$secrets/$1" ]; then cat "$secrets/$1"; fi
}

webhook=$(secret alert_webhook_url)
case $webhook in
    '' | http://* | https://*) ;;
    *) fail "ALERT_WEBHOOK_URL begins with http:// or https://" ;;
esac
mail_to=${ALERT_MAIL_TO:-}
for value in "$webhook" "$mail_to" "${ALERT_MAIL_FROM:-}" "${ALERT_MAIL_SMARTHOST:-}" "${ALERT_MAIL_USER:-}"; do
    case $value in *'
'*) fail "a setting has more than one line: $value" ;; esac
done
if [ -n "$mail_to" ]; then
    case ${ALERT_MAIL_SMARTHOST:-} in
        ?*:[0-9]*) ;;
        *) fail "ALERT_MAIL_TO needs ALERT_MAIL_SMARTHOST, as host:port, such as mail.example.org:587" ;;
    esac
    case ${ALERT_MAIL_TLS:=true} in
        true | false) ;;
        *) fail "ALERT_MAIL_TLS is true or false, not '$ALERT_MAIL_TLS'" ;;
    esac
fi

configuration() {
    cat <<'END'
route:
  receiver: people
  # One message for each kind of trouble, however many engines or folders have it.
  group_by: [alertname]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 12h
inhibit_rules:
  # What is worse is said once.
  - source_matchers: ['severity = critical']
    target_matchers: ['severity =~ "warning|info"']
    equal: [alertname]
  # A voice or an illustrator that is down because its container is: the container is the news.
  - source_matchers: ['alertname = ServiceDown', 'job = piper']
    target_matchers: ['alertname = EngineDown', 'engine = voice']
  - source_matchers: ['alertname = ServiceDown', 'job = images']
    target_matchers: ['alertname = EngineDown', 'engine = illustrator']
  # Nothing is finished because of what is already told.
  - source_matchers: ['alertname =~ "ServiceDown|EngineDown|MakerStopped"']
    target_matchers: ['alertname = NothingFinished']
receivers:
  - name: people
END
    if [ -n "$webhook" ]; then
        printf '    webhook_configs:\n      - url: %s\n        send_resolved: true\n' "$(quoted "$webhook")"
    fi
    if [ -n "$mail_to" ]; then
        printf '    email_configs:\n      - to: %s\n        from: %s\n' \
            "$(quoted "$mail_to")" "$(quoted "${ALERT_MAIL_FROM:-$mail_to}")"
        printf '        smarthost: %s\n        require_tls: %s\n        send_resolved: true\n' \
            "$(quoted "$ALERT_MAIL_SMARTHOST")" "$ALERT_MAIL_TLS"
        if [ -n "${ALERT_MAIL_USER:-}" ]; then
            printf '        auth_username: %s\n' "$(quoted "$ALERT_MAIL_USER")"
        fi
        if [ -s "$secrets/alert_mail_password" ]; then
            printf '        auth_password_file: %s\n' "$(quoted "$secrets/alert_mail_password")"
        fi
    fi
}

if [ "${1:-}" = --print ]; then
    configuration
    exit 0
fi
configuration >/tmp/alertmanager.yml
# One Alertmanager needs no others, and so no port for them. Debian's package gives the program a longer name.
program=$(command -v alertmanager || command -v prometheus-alertmanager) || fail "there is no alertmanager in this image"
exec "$program" --config.file=/tmp/alertmanager.yml --storage.path=/alertmanager --cluster.listen-address= \
    --web.external-url="${ALERTMANAGER_URL:-http://127.0.0.1:9093}"
