import { bootImageSchema, connectionInfoSchema } from '@novella/core';
import { z } from 'zod';
import { call, cast, defineRpc } from './define-rpc.js';
import {
  attachmentId,
  byteCount,
  commandToken,
  hostName,
  sealedSecret,
  serverId,
  volumeDisk,
  volumeId,
} from './wire.js';

/**
 * Commands to one host, topic `compute.<host>`. Each starts by measuring and does only what is missing, so it may be
 * sent again; each ends with `operation_result` to the conductor. None carries a secret.
 */
const command = { persistent: true, mandatory: true } as const;

/** An image, and where the host gets its data from: a URL for this host alone, for so long as the build may take. */
export const imageSource = bootImageSchema.extend({
  /** null: it has no data. */
  url: z
    .url({ protocol: /^https?$/ })
    .max(2048)
    .nullable(),
});
export type ImageSource = z.output<typeof imageSource>;

export const imageSources = z.object({
  image: imageSource,
  kernel: imageSource.nullable(),
  ramdisk: imageSource.nullable(),
});
export type ImageSources = z.output<typeof imageSources>;

export const buildInstance = z.object({
  token: commandToken,
  server: serverId,
  /** `instance-%08x` of the instance's number: the domain's name. */
  domainName: z.string().regex(/^instance-[0-9a-f]{8}$/),
  displayName: z.string(),
  projectId: z.string(),
  vcpus: z.number().int().positive(),
  memoryMib: z.number().int().positive(),
  /** Size of the local root disk; 0 when the guest boots from a volume or needs none. */
  rootGib: z.number().int().nonnegative(),
  imageRef: z.uuid().nullable(),
  /** What `imageRef` names, to be fetched; null: the host has it in a directory of images. */
  images: imageSources.nullable().default(null),
  rootBus: z.enum(['virtio', 'scsi']),
  /** Which volume the guest boots from, if any; it is one of `volumes`. */
  bootVolume: volumeId.nullable(),
  volumes: z.array(volumeDisk),
});
export type BuildInstance = z.output<typeof buildInstance>;

export const deleteInstance = z.object({ token: commandToken, server: serverId, volumes: z.array(volumeDisk) });
export type DeleteInstance = z.output<typeof deleteInstance>;

export const attachVolume = z.object({ token: commandToken, server: serverId, disk: volumeDisk });
export type AttachVolume = z.output<typeof attachVolume>;

export const detachVolume = z.object({ token: commandToken, server: serverId, disk: volumeDisk });
export type DetachVolume = z.output<typeof detachVolume>;

export const extendVolume = z.object({
  token: commandToken,
  server: serverId,
  volume: volumeId,
  attachment: attachmentId,
  connection: connectionInfoSchema,
  sealedSecret: sealedSecret.nullable(),
  /** What the guest must at least see: Cinder's size less the overhead recorded at attach. */
  wantedBytes: byteCount,
  /**
   * What the guest is known to see. null: not known. A guest whose memory was saved goes on with the sizes of then,
   * whatever the hypervisor shows of its disks.
   */
  seenBytes: byteCount.nullable(),
});
export type ExtendVolume = z.output<typeof extendVolume>;

export const startInstance = z.object({ token: commandToken, server: serverId, volumes: z.array(volumeDisk) });
export type StartInstance = z.output<typeof startInstance>;

export const stopInstance = z.object({ token: commandToken, server: serverId, volumes: z.array(volumeDisk) });
export type StopInstance = z.output<typeof stopInstance>;

export const rebootInstance = z.object({
  token: commandToken,
  server: serverId,
  /** soft: the guest is asked to shut down, and loses its power when it does not within the host's limit. */
  type: z.enum(['soft', 'hard']),
  /** Grows when a reboot is asked for once more while this one is under way: then the guest reboots once more. */
  seq: z.number().int().positive(),
  volumes: z.array(volumeDisk),
});
export type RebootInstance = z.output<typeof rebootInstance>;

export const pauseInstance = z.object({ token: commandToken, server: serverId, volumes: z.array(volumeDisk) });
export type PauseInstance = z.output<typeof pauseInstance>;

export const unpauseInstance = z.object({ token: commandToken, server: serverId, volumes: z.array(volumeDisk) });
export type UnpauseInstance = z.output<typeof unpauseInstance>;

/** The guest's memory is written to the host's disk, and the guest is off then. */
export const suspendInstance = z.object({ token: commandToken, server: serverId, volumes: z.array(volumeDisk) });
export type SuspendInstance = z.output<typeof suspendInstance>;

export const resumeInstance = z.object({ token: commandToken, server: serverId, volumes: z.array(volumeDisk) });
export type ResumeInstance = z.output<typeof resumeInstance>;

/** Nova shows no more of a console. Mirrors nova:nova/virt/libvirt/driver.py MAX_CONSOLE_BYTES. */
export const MOST_CONSOLE_BYTES = 102_400;
export const consoleOutput = z.object({
  server: serverId,
  /** The last so many lines; null: all that the host keeps. */
  lines: z.number().int().nonnegative().nullable(),
});
export type ConsoleOutput = z.output<typeof consoleOutput>;

export const computeRpc = defineRpc({
  topic: 'compute',
  version: '1.0',
  methods: {
    build_instance: cast(buildInstance, command),
    delete_instance: cast(deleteInstance, command),
    attach_volume: cast(attachVolume, command),
    detach_volume: cast(detachVolume, command),
    extend_volume: cast(extendVolume, command),
    start_instance: cast(startInstance, command),
    stop_instance: cast(stopInstance, command),
    reboot_instance: cast(rebootInstance, command),
    pause_instance: cast(pauseInstance, command),
    unpause_instance: cast(unpauseInstance, command),
    suspend_instance: cast(suspendInstance, command),
    resume_instance: cast(resumeInstance, command),
    /** Reads the host; never part of a durable path. */
    ping: call(z.object({}), z.object({ host: hostName, uptimeS: z.number() }), { timeoutMs: 10_000 }),
    /** The end of a guest's console, at most MOST_CONSOLE_BYTES; '' before its first output. Error: domain-not-found. */
    console_output: call(consoleOutput, z.object({ output: z.string() }), { timeoutMs: 10_000 }),
  },
});
