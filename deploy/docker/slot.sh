# Sourced by bash: take_slot FOLDER PREFIX MOST sets `slot` to the lowest PREFIX-N that no other container of the volume
# holds. The lock is the kernel's, on a file in the volume: it ends with the container, however that ends.
take_slot() {
  local folder=$1 prefix=$2 most=$3 n
  for ((n = 1; n <= most; n++)); do
    exec {slot_lock}>"$folder/$prefix-$n.lock"
    if flock --nonblock "$slot_lock"; then
      slot=$prefix-$n
      return 0
    fi
    exec {slot_lock}>&-
  done
  echo "all $most names are taken: $prefix-1 to $prefix-$most" >&2
  return 1
}
