import type { CommandToken, computeRpc, HandlersOf, MessageFacts, Outcome, VolumeDisk } from '@novella/contracts';
import { type Clock, type Millis, millis, minutes, seconds, type ServerId, type VolumeId } from '@novella/core';
import { type CommandsIo, runCommand } from './commands.js';
import { CommandsInWork } from './commands-in-work.js';
import { readConsole } from './console-file.js';
import { type Lane, serverClaims, volumeClaims } from './effect-locks.js';
import { attachVolume } from './flows/attach-volume.js';
import { buildInstance } from './flows/build-instance.js';
import { deleteInstance } from './flows/delete-instance.js';
import { detachVolume } from './flows/detach-volume.js';
import { extendVolume } from './flows/extend-volume.js';
import { pauseInstance, unpauseInstance } from './flows/pause-instance.js';
import { rebootInstance } from './flows/reboot-instance.js';
import { startInstance } from './flows/start-instance.js';
import { stopInstance } from './flows/stop-instance.js';
import { resumeInstance, suspendInstance } from './flows/suspend-instance.js';
import type { HostIo, Step } from './host-io.js';

export interface HandlersIo {
  readonly commands: CommandsIo;
  readonly host: HostIo;
  readonly clock: Clock;
  /** Aborted when the process stops: what waits inside a flow gives up, and its command comes again. */
  readonly signal: AbortSignal;
}

/**
 * How long a command may be in work here, waiting for its turn included: a little less than the conductor's deadline for
 * it, after which nobody waits for its result. A stop and a reboot have the host's grace besides.
 */
const LIMITS = {
  build: minutes(9.5),
  delete: seconds(290),
  attach: seconds(170),
  detach: seconds(190),
  extend: seconds(55),
  start: seconds(170),
  stopAfterGrace: seconds(70),
  rebootAfterGrace: seconds(190),
  pause: seconds(55),
  suspend: minutes(13.5),
} as const;
/** A stop that takes longer is sent again before it has ended, and begins anew. */
export const LONGEST_SHUTDOWN_GRACE = seconds(100);

interface AnyCommand {
  readonly token: CommandToken;
  readonly server: ServerId;
}
type Flow<C> = (io: HostIo, command: C, step: Step, signal: AbortSignal) => Promise<Outcome>;

/** Each command of the contract with what it acts on, what it excludes meanwhile, and its flow. */
export function commandHandlers({ commands, host, clock, signal }: HandlersIo): HandlersOf<typeof computeRpc> {
  const startedAt = clock.monotonic();
  const inWork = new CommandsInWork(clock, signal);

  const onServer =
    <C extends AnyCommand & { readonly volumes: readonly VolumeDisk[] }>(
      name: string,
      limit: Millis,
      flow: Flow<C>,
      lane: Lane = 'others',
    ) =>
    (command: C, message: MessageFacts): Promise<void> => {
      const { token, server } = command;
      const volumes = command.volumes.map(({ volume }) => volume);
      const claims = serverClaims(server, volumes);
      const facts = { name, token, limit, scope: { server, volume: null }, claims, lane };
      return runCommand(commands, inWork, facts, message, (step, waits) => flow(host, command, step, waits));
    };
  const onVolume =
    <C extends AnyCommand>(name: string, limit: Millis, volumeOf: (command: C) => VolumeId, flow: Flow<C>) =>
    (command: C, message: MessageFacts): Promise<void> => {
      const { token, server } = command;
      const volume = volumeOf(command);
      const facts = { name, token, limit, scope: { server, volume }, claims: volumeClaims(server, volume) };
      return runCommand(commands, inWork, facts, message, (step, waits) => flow(host, command, step, waits));
    };
  const afterGrace = (limit: Millis): Millis => millis(host.shutdownGrace + limit);

  return {
    build_instance: onServer('build_instance', LIMITS.build, buildInstance, 'builds'),
    delete_instance: onServer('delete_instance', LIMITS.delete, deleteInstance),
    start_instance: onServer('start_instance', LIMITS.start, startInstance),
    stop_instance: onServer('stop_instance', afterGrace(LIMITS.stopAfterGrace), stopInstance),
    reboot_instance: onServer('reboot_instance', afterGrace(LIMITS.rebootAfterGrace), rebootInstance),
    pause_instance: onServer('pause_instance', LIMITS.pause, pauseInstance),
    unpause_instance: onServer('unpause_instance', LIMITS.pause, unpauseInstance),
    suspend_instance: onServer('suspend_instance', LIMITS.suspend, suspendInstance),
    resume_instance: onServer('resume_instance', LIMITS.suspend, resumeInstance),
    attach_volume: onVolume('attach_volume', LIMITS.attach, ({ disk }) => disk.volume, attachVolume),
    detach_volume: onVolume('detach_volume', LIMITS.detach, ({ disk }) => disk.volume, detachVolume),
    extend_volume: onVolume('extend_volume', LIMITS.extend, ({ volume }) => volume, extendVolume),
    ping: () => Promise.resolve({ host: commands.host, uptimeS: Math.round((clock.monotonic() - startedAt) / 1000) }),
    console_output: async ({ server, lines }) => ({ output: await readConsole(host.files.folder(server), lines) }),
  };
}
