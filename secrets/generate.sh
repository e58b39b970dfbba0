#!/bin/sh
# Writes the secrets that docker-compose.yml and k8s/overlays/ read, one file each, into this directory or the one
# given. A file that is there stays as it is: running this again changes nothing.
set -eu

directory=${1:-$(dirname "$0")}
mkdir -p "$directory"
cd "$directory"
# The directory is closed to other users; the files are not, because the containers read them as users of their own.
umask 022
chmod 700 .

hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
base64_of() { head -c "$1" /dev/urandom | base64 | tr -d '\n'; }
write() {
  [ -s "$1" ] && return
  printf '%s\n' "$2" >"$1.new"
  mv "$1.new" "$1"
}

write jwt-secret "$(hex 32)"
write encryption-keys "key1:$(base64_of 32)"
write admin-password "$(hex 12)"
write api-key "$(hex 24)"
write mqtt-password "$(hex 24)"
write mongodb-root-password "$(hex 24)"
write mongodb-password "$(hex 24)"
write mongodb-keyfile "$(hex 384)"
write mongodb-url "mongodb://trigate:$(cat mongodb-password)@mongodb:27017/trigate?replicaSet=rs0"
write nats-password "$(hex 24)"
write nats-url "nats://trigate:$(cat nats-password)@nats:4222"
write nats-authorization "authorization { user: trigate, password: \"$(cat nats-password)\" }"
