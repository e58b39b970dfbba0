#!/bin/sh
# Starts a member of the replica set. Only the first one makes the root user: a member that has data of its own cannot
# join. The image's entry point takes care of the user, then runs mongod as process 1.
set -eu

if [ "${HOSTNAME:-$(hostname)}" = "$FIRST_MEMBER" ]; then
  export MONGO_INITDB_ROOT_USERNAME=root
  export MONGO_INITDB_ROOT_PASSWORD_FILE=/run/secrets/mongodb/mongodb-root-password
fi
# mongod refuses a key file that its group can read, which the volume of a secret cannot avoid.
umask 077
cat /run/secrets/mongodb/mongodb-keyfile >/tmp/keyfile
umask 027
exec docker-entrypoint.sh mongod --replSet rs0 --keyFile /tmp/keyfile --bind_ip_all --wiredTigerCacheSizeGB 0.5
