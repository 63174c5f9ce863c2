#!/bin/sh
# Runs one of the apps in its container: app.sh APP [ARGUMENT...]
# NOVELLA_BROKER_USER names the broker's user; its password is in the volume that `setup` has filled.
set -eu
app=$1
shift
if [ -n "${NOVELLA_BROKER_USER:-}" ]; then
  NOVELLA_BROKER_URLS="amqp://$NOVELLA_BROKER_USER:$(cat "/run/novella/users/$NOVELLA_BROKER_USER")@rabbitmq:5672/"
  export NOVELLA_BROKER_URLS
fi
# A young generation of 3 x 4 MB: V8 would else take 48 MB before it looks for garbage, for nothing here.
exec node --max-semi-space-size=4 --optimize-for-size "/opt/novella/dist/apps/$app/apps/$app/src/main.js" "$@"
