/**
 * The device that a guest's disk is asked to have, or null for the first free one. Only a name of the disk's own bus is
 * heeded; Nova's libvirt driver heeds none (nova:nova/virt/libvirt/driver.py get_device_name_for_instance).
 */
const NAMES = { virtio: /^\/dev\/vd[a-z]$/, scsi: /^\/dev\/sd[a-z]$/ } as const;

export const heededDevice = (asked: string | null, bus: keyof typeof NAMES): string | null =>
  asked !== null && NAMES[bus].test(asked) ? asked : null;
