#!/bin/sh
# Makes the secrets of this deployment on its first start, so that no file of the repository holds one.
#
# MONGO_SECRETS_DIR     what MongoDB and its administrator need, readable by MONGO_UID only
# SERVICE_SECRETS_DIR   what the service needs, readable by SERVICE_UID only: a directory of its own, because
#                       whoever breaks into the service must not find the root password or the keyfile there
#
# A secret that is there is kept: the database knows the passwords too, and a new one would lock everybody out.
set -eu
umask 077

: "${MONGO_SECRETS_DIR:?}" "${MONGO_UID:?}" "${SERVICE_SECRETS_DIR:?}" "${SERVICE_UID:?}"
: "${MONGO_MEMBER:?}" "${MONGO_REPLICA_SET:?}"

# store FILE UID: the file appears complete and with its final owner, or, when this start is interrupted, not at all.
store() {
    rm -f "$1.new"
    cat >"$1.new"
    test -s "$1.new"
    chmod 0400 "$1.new"
    chown "$2:$2" "$1.new"
    mv "$1.new" "$1"
    echo "made $1"
}

# Hexadecimal, so that it can stand in a URI as it is.
password() {
    head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

keyfile=$MONGO_SECRETS_DIR/keyfile
root_password=$MONGO_SECRETS_DIR/root-password
service_password=$MONGO_SECRETS_DIR/service-password
uri=$SERVICE_SECRETS_DIR/modeldeck_mongodb_uri

# 756 bytes make 1008 characters; MongoDB takes 1024 at most.
[ -s "$keyfile" ] || head -c 756 /dev/urandom | base64 -w 0 | store "$keyfile" "$MONGO_UID"
[ -s "$root_password" ] || password | store "$root_password" "$MONGO_UID"
[ -s "$service_password" ] || password | store "$service_password" "$MONGO_UID"

# Derived, not drawn: it follows when the service's password was removed in order to get a new one.
options="replicaSet=$MONGO_REPLICA_SET&authSource=modeldeck"
wanted="mongodb://modeldeck:$(cat "$service_password")@$MONGO_MEMBER/?$options"
if [ ! -s "$uri" ] || [ "$(cat "$uri")" != "$wanted" ]; then
    printf '%s' "$wanted" | store "$uri" "$SERVICE_UID"
fi
