/**
 * Which extra specs of a flavor Nova knows from 2.86, and the values that they take (nova:nova/api/validation/extra_specs).
 * Keys outside of its namespaces are anybody's. Traits and resource classes are known by their form alone.
 */

/** null, or why the value is wrong. */
type Check = (value: string) => string | null;

const TRUE_OR_FALSE = /^\s*(?:1|t|true|on|y|yes|0|f|false|off|n|no)\s*$/i;
const any: Check = () => null;
const bool: Check = (value) => (TRUE_OR_FALSE.test(value) ? null : `'${value}' is not a valid boolean-like value.`);
const text =
  (pattern: RegExp): Check =>
  (value) =>
    pattern.test(value) ? null : `'${value}' is not of the format '${pattern.source}'.`;
const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    words.includes(value) ? null : `'${value}' is not one of: ${words.join(', ')}.`;
const whole =
  (min = -Infinity, max = Infinity): Check =>
  (value) => {
    if (!/^\s*[+-]?\d+\s*$/.test(value)) return `'${value}' is not a valid integer value.`;
    if (Number(value) > max) return `'${value}' is greater than the max value of '${max}'.`;
    return Number(value) < min ? `'${value}' is less than the min value of '${min}'.` : null;
  };
const CPUS = /^\^?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*$/;
const SHARES = oneOf('custom', 'high', 'normal', 'low');

/** By namespace, then by the whole rest of the key. */
const KNOWN: Readonly<Record<string, readonly (readonly [names: string, check: Check])[]>> = {
  accel: [['device_profile', any]],
  aggregate_instance_extra_specs: [['.+', any]],
  capabilities: [
    [
      'id|uuid|service_id|host|vcpus|memory_mb|local_gb|vcpus_used|memory_mb_used|local_gb_used|hypervisor_type|' +
        'hypervisor_version|hypervisor_hostname|free_ram_mb|free_disk_gb|current_workload|running_vms|' +
        'disk_available_least|host_ip|mapped|cpu_allocation_ratio|ram_allocation_ratio|disk_allocation_ratio|' +
        'total_usable_ram_mb|total_usable_disk_gb|disk_mb_used|free_disk_mb|vcpus_total|num_instances|num_io_ops|' +
        'failed_builds|aggregates|cell_uuid|updated',
      any,
    ],
    [
      '(?:cpu_info|metrics|stats|numa_topology|supported_hv_specs|pci_device_pools|nodename|pci_stats|' +
        'supported_instances|limits|instances)(?::\\w+)*',
      any,
    ],
  ],
  hw: [
    [
      'cpu_realtime|hide_hypervisor_id|locked_memory|boot_menu|vif_multiqueue_enabled|mem_encryption|pmu|' +
        'virtio_packed_ring|ephemeral_encryption',
      bool,
    ],
    ['cpu_realtime_mask', text(/^(\^)?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*$/)],
    ['cpu_dedicated_mask|numa_cpus.\\d+', text(CPUS)],
    ['cpu_policy', oneOf('dedicated', 'shared', 'mixed')],
    ['cpu_thread_policy', oneOf('prefer', 'isolate', 'require')],
    ['emulator_threads_policy', oneOf('isolate', 'share')],
    ['mem_page_size', text(/^(large|small|any|\d+([kKMGT]i?)?(b|bit|B)?)$/)],
    [
      'numa_nodes|numa_mem.\\d+|cpu_sockets|cpu_cores|cpu_threads|cpu_max_sockets|cpu_max_cores|cpu_max_threads',
      whole(1),
    ],
    ['pci_numa_affinity_policy', oneOf('required', 'preferred', 'legacy', 'socket')],
    ['mem_encryption_model', oneOf('amd-sev', 'amd-sev-es', 'amd-sev-snp')],
    ['pmem', text(/^([a-zA-Z0-9_]+,?)+$/)],
    ['serial_port_count', whole(0)],
    ['tpm_model', oneOf('tpm-tis', 'tpm-crb')],
    ['tpm_version', oneOf('1.2', '2.0')],
    ['tpm_secret_security', oneOf('user', 'host', 'deployment')],
    ['watchdog_action', oneOf('none', 'pause', 'poweroff', 'reset', 'disabled')],
    ['viommu_model', oneOf('intel', 'smmuv3', 'virtio', 'auto')],
    ['sound_model', oneOf('sb16', 'es1370', 'pcspk', 'ac97', 'ich6', 'ich9', 'usb', 'virtio')],
    ['usb_model', oneOf('none', 'nec-xhci', 'qemu-xhci')],
    ['redirected_usb_ports', whole(0, 15)],
    ['ephemeral_encryption_format', oneOf('plain', 'luks', 'luksv2')],
  ],
  hw_rng: [
    ['allowed', bool],
    ['rate_bytes|rate_period', whole(0)],
  ],
  hw_video: [['ram_max_mb', whole(0)]],
  os: [['secure_boot', oneOf('disabled', 'required')]],
  pci_passthrough: [['alias', text(/^[^:]+:\d+(?:\s*,\s*[^:]+:\d+)*$/)]],
  quota: [
    ['(?:cpu|memory|disk_io|vif)_shares_level', SHARES],
    ['(?:cpu|memory|disk_io|vif)_reservation|cpu_quota', whole()],
    [
      '(?:cpu|memory|disk_io|vif)_(?:limit|shares_share)|cpu_shares|cpu_period|' +
        'disk_(?:read|write|total)_(?:bytes|iops)_sec|vif_(?:inbound|outbound)_(?:average|peak|burst)',
      whole(0),
    ],
  ],
  resources: [['[A-Z0-9_]+', whole()]],
  trait: [['[A-Z0-9_]+', oneOf('required', 'forbidden')]],
  vmware: [['hw_version|storage_policy', any]],
};
const WITHOUT_NAMESPACE: Readonly<Record<string, Check>> = {
  hide_hypervisor_id: bool,
  group_policy: oneOf('isolate', 'none'),
};

/** A group of requests for resources has its name right after the word: `resources_net:VCPU`. */
const GROUPED = /^(resources|trait)[a-zA-Z0-9_-]{0,64}$/;

/** null, or why a flavor cannot have it. */
export function whyNotExtraSpec(key: string, value: string): string | null {
  const colon = key.indexOf(':');
  if (colon < 0) {
    return failed(Object.hasOwn(WITHOUT_NAMESPACE, key) ? (WITHOUT_NAMESPACE[key]?.(value) ?? null) : null);
  }
  const namespace = key.slice(0, colon);
  const known = GROUPED.exec(namespace)?.[1] ?? namespace;
  if (!Object.hasOwn(KNOWN, known)) return null;
  const rest = key.slice(colon + 1);
  const spec = KNOWN[known]?.find(([names]) => new RegExp(`^(?:${names})$`).test(rest));
  return failed(spec === undefined ? `extra spec '${key}' does not appear to be a valid extra spec.` : spec[1](value));
}

const failed = (why: string | null): string | null => (why === null ? null : `Validation failed; ${why}`);
