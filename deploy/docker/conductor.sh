#!/bin/bash
# A conductor under the lowest free name, which it then has again after a restart.
set -euo pipefail
. /opt/novella/deploy/docker/slot.sh
take_slot /var/lib/novella/conductors conductor 8
echo "this is $slot"
# The lock stays open in the app, and ends with it.
NOVELLA_CONDUCTOR_NAME=$slot exec /opt/novella/deploy/docker/app.sh conductor
