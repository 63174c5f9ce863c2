/** The words of Nova for what a server is and does (nova:compute/vm_states.py, task_states.py, power_state.py). */
export const VM_STATES = ['building', 'active', 'paused', 'suspended', 'stopped', 'error', 'deleted'] as const;
export type VmState = (typeof VM_STATES)[number];

export const TASK_STATES = [
  'scheduling',
  'block_device_mapping',
  'spawning',
  'deleting',
  'powering-on',
  'powering-off',
  'rebooting',
  'rebooting_hard',
  'pausing',
  'unpausing',
  'suspending',
  'resuming',
] as const;
export type TaskState = (typeof TASK_STATES)[number];

/**
 * What the hypervisor says of a guest, in Nova's words, and `saved`: off, with its memory on disk (libvirt's managed
 * save), so that it goes on where it was. `suspended` is a guest that has put itself to sleep.
 */
export const POWER_STATES = ['nostate', 'running', 'paused', 'shutdown', 'crashed', 'suspended', 'saved'] as const;
export type PowerState = (typeof POWER_STATES)[number];

/** nova:compute/power_state.py; to Nova a guest whose memory is saved is shut down. */
export const POWER_STATE_NUMBER = {
  nostate: 0,
  running: 1,
  paused: 3,
  shutdown: 4,
  crashed: 6,
  suspended: 7,
  saved: 4,
} as const satisfies Record<PowerState, number>;

export const OPERATION_KINDS = [
  'build',
  'attach',
  'detach',
  'extend',
  'start',
  'stop',
  'reboot',
  'pause',
  'unpause',
  'suspend',
  'resume',
  'delete',
  'power-update',
] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

/** What users ask of the power of a whole server; its task_state says which of them is under way. */
export const POWER_KINDS = ['start', 'stop', 'reboot', 'pause', 'unpause', 'suspend', 'resume'] as const;
export type PowerKind = Extract<OperationKind, (typeof POWER_KINDS)[number]>;

/**
 * queued      somebody should take the next step
 * waiting     the next step needs something (`WaitingFor`) that has its own wake-up
 * dispatched  a command is with the host; its result, or after the deadline a measurement, comes next
 * succeeded, failed  ended; never left again
 */
export const OPERATION_STATES = ['queued', 'waiting', 'dispatched', 'succeeded', 'failed'] as const;
export type OperationState = (typeof OPERATION_STATES)[number];

export const WAITING_FOR = [
  'api',
  'host',
  'server-task',
  'migration',
  'paths',
  'cinder',
  'guest-start',
  'retry',
] as const;
export type WaitingFor = (typeof WAITING_FOR)[number];

/** What proved a size: the hypervisor's own answer, the device on the host, or only the volume service. */
export const VERIFIED_BY = ['hypervisor', 'host-device', 'cinder'] as const;
export type VerifiedBy = (typeof VERIFIED_BY)[number];

/** When the guest sees the size. */
export const VISIBLE = ['now', 'next-start'] as const;
export type Visible = (typeof VISIBLE)[number];

/** The instance action that a user sees for each kind, and the event under it, by the names that Nova gives them. */
export const INSTANCE_ACTION_NAMES = {
  build: { action: 'create', event: 'compute__do_build_and_run_instance' },
  attach: { action: 'attach_volume', event: 'compute_attach_volume' },
  detach: { action: 'detach_volume', event: 'compute_detach_volume' },
  extend: { action: 'extend_volume', event: 'compute_extend_volume' },
  start: { action: 'start', event: 'compute_start_instance' },
  stop: { action: 'stop', event: 'compute_stop_instance' },
  reboot: { action: 'reboot', event: 'compute_reboot_instance' },
  pause: { action: 'pause', event: 'compute_pause_instance' },
  unpause: { action: 'unpause', event: 'compute_unpause_instance' },
  suspend: { action: 'suspend', event: 'compute_suspend_instance' },
  resume: { action: 'resume', event: 'compute_resume_instance' },
  delete: { action: 'delete', event: 'compute_terminate_instance' },
  /** `start` or `stop`, by the event's tag; nova:compute/api.py external_instance_event. */
  'power-update': { action: 'start', event: 'compute_power_update' },
} as const satisfies Record<OperationKind, { action: string; event: string }>;
