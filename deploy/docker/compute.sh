#!/bin/bash
# A host: takes the lowest free name, then runs libvirtd and the compute with the state that this name has in the volume.
# Either of the two is started again when it ends, while the guests go on. SIGTERM ends the compute in order, then the
# guests lose their power.
set -uo pipefail
. /opt/novella/deploy/docker/slot.sh
hosts=/var/lib/novella/hosts
take_slot "$hosts" compute 16 || exit 1
echo "this is $slot"
state=$hosts/$slot/state
libvirt=$hosts/$slot/libvirt

# What libvirt keeps lives in the volume: definitions, logs, what it has learned about QEMU.
mkdir -p "$state" "$libvirt"/{definitions,lib,log,cache}
rm -rf /etc/libvirt/qemu /var/lib/libvirt /var/log/libvirt /var/cache/libvirt
ln -s "$libvirt/definitions" /etc/libvirt/qemu
ln -s "$libvirt/lib" /var/lib/libvirt
ln -s "$libvirt/log" /var/log/libvirt
ln -s "$libvirt/cache" /var/cache/libvirt

ending=
child=
# Runs a command until we end, again and again; its own output goes where ours goes.
keep_running() {
  local name=$1
  shift
  trap 'ending=1; [ -z "$child" ] || kill -TERM "$child"' TERM
  while [ -z "$ending" ]; do
    "$@" {slot_lock}>&- &
    child=$!
    wait "$child"
    # The wait also ends when the signal comes: then the command is still ending.
    [ -z "$ending" ] || wait "$child"
    [ -n "$ending" ] || { echo "$name ended; it is started again" >&2; sleep 1; }
  done
}

run_libvirtd() { exec libvirtd >>"$libvirt/log/libvirtd.log" 2>&1; }
run_compute() {
  export NOVELLA_HOST=$slot NOVELLA_STATE_DIR=$state NOVELLA_BROKER_USER=compute-$slot
  exec /opt/novella/deploy/docker/app.sh compute
}

keep_running libvirtd run_libvirtd &
libvirtd_keeper=$!
keep_running compute run_compute &
compute_keeper=$!

trap 'kill -TERM "$compute_keeper"' TERM INT
wait "$compute_keeper"
wait "$compute_keeper" 2>/dev/null
kill -TERM "$libvirtd_keeper"
wait "$libvirtd_keeper"
# QEMU writes out what it has and ends; the kernel takes what is left.
guests() { grep -l --no-messages '^qemu-system' /proc/[0-9]*/comm | cut -d / -f 3; }
kill -TERM $(guests) 2>/dev/null
for _ in $(seq 50); do
  [ -n "$(guests)" ] || break
  sleep 0.1
done
