#!/bin/sh
# Creates the secrets of this deployment at its first start, so that no file of the repository contains one.
#
# MONGO_SECRETS_DIR     the secrets of MongoDB and its administrator, readable by MONGO_UID only
# SERVICE_SECRETS_DIR   the secrets of the service, readable by SERVICE_UID only, in another directory: an attacker who
#                       controls the service must not be able to read the root password or the keyfile
#
# Existing secrets are kept: the database stores the passwords too, and would refuse a new one.
set -eu
umask 077

: "${MONGO_SECRETS_DIR:?}" "${MONGO_UID:?}" "${SERVICE_SECRETS_DIR:?}" "${SERVICE_UID:?}"
: "${MONGO_MEMBER:?}" "${MONGO_REPLICA_SET:?}"

# store FILE UID: writes standard input to a file and gives it its owner, in one step: an interrupted start leaves no
# incomplete file.
store() {
    rm -f "$1.new"
    cat >"$1.new"
    test -s "$1.new"
    chmod 0400 "$1.new"
    chown "$2:$2" "$1.new"
    mv "$1.new" "$1"
    echo "created $1"
}

# Hexadecimal, so that it needs no escaping in a URI.
password() {
    head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

keyfile=$MONGO_SECRETS_DIR/keyfile
root_password=$MONGO_SECRETS_DIR/root-password
service_password=$MONGO_SECRETS_DIR/service-password
uri=$SERVICE_SECRETS_DIR/modeldeck_mongodb_uri

# 756 bytes are 1008 characters in Base64; MongoDB accepts 1024 at most.
[ -s "$keyfile" ] || head -c 756 /dev/urandom | base64 -w 0 | store "$keyfile" "$MONGO_UID"
[ -s "$root_password" ] || password | store "$root_password" "$MONGO_UID"
[ -s "$service_password" ] || password | store "$service_password" "$MONGO_UID"

# Written again when the password changes: to get a new one, an administrator removes the file with the password.
options="replicaSet=$MONGO_REPLICA_SET&authSource=modeldeck"
wanted="mongodb://modeldeck:$(cat "$service_password")@$MONGO_MEMBER/?$options"
if [ ! -s "$uri" ] || [ "$(cat "$uri")" != "$wanted" ]; then
    printf '%s' "$wanted" | store "$uri" "$SERVICE_UID"
fi
