#!/bin/sh
# Makes the password file from the secret and starts the broker as process 1. The rules are those of docs/mqtt/.
set -eu

# Mosquitto wants both files to be its own alone, which mounted ones are not.
umask 077
cat /etc/mosquitto/rules/mosquitto-dynsec.json >/tmp/mosquitto-dynsec.json
printf '%s:%s\n' "$GATEWAY_USERNAME" "$(cat "$GATEWAY_PASSWORD_FILE")" >/tmp/passwords
mosquitto_passwd -U /tmp/passwords
exec mosquitto -c /etc/mosquitto/config/mosquitto.conf
