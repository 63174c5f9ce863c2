import type { CommandToken, computeRpc, HandlersOf, MessageFacts, Outcome, VolumeDisk } from '@novella/contracts';
import type { Clock, ServerId, VolumeId } from '@novella/core';
import { type CommandsIo, runCommand } from './commands.js';
import { serverClaims, volumeClaims } from './effect-locks.js';
import { attachVolume } from './flows/attach-volume.js';
import { buildInstance } from './flows/build-instance.js';
import { deleteInstance } from './flows/delete-instance.js';
import { detachVolume } from './flows/detach-volume.js';
import { extendVolume } from './flows/extend-volume.js';
import type { HostIo, Step } from './host-io.js';

export interface HandlersIo {
  readonly commands: CommandsIo;
  readonly host: HostIo;
  readonly clock: Clock;
  /** Aborted when what waits inside a flow must give up. */
  readonly signal: AbortSignal;
}

interface AnyCommand {
  readonly token: CommandToken;
  readonly server: ServerId;
}

/** Each command of the contract with what it acts on, what it excludes meanwhile, and its flow. */
export function commandHandlers({ commands, host, clock, signal }: HandlersIo): HandlersOf<typeof computeRpc> {
  const startedAt = clock.monotonic();

  type Flow<C> = (io: HostIo, command: C, step: Step, signal: AbortSignal) => Promise<Outcome>;
  const onServer =
    <C extends AnyCommand & { readonly volumes: readonly VolumeDisk[] }>(name: string, flow: Flow<C>) =>
    (command: C, message: MessageFacts): Promise<void> => {
      const { token, server } = command;
      const volumes = command.volumes.map(({ volume }) => volume);
      const facts = { name, token, scope: { server, volume: null }, claims: serverClaims(server, volumes) };
      return runCommand(commands, facts, message, (step) => flow(host, command, step, signal));
    };
  const onVolume =
    <C extends AnyCommand>(name: string, volumeOf: (command: C) => VolumeId, flow: Flow<C>) =>
    (command: C, message: MessageFacts): Promise<void> => {
      const { token, server } = command;
      const volume = volumeOf(command);
      const facts = { name, token, scope: { server, volume }, claims: volumeClaims(server, volume) };
      return runCommand(commands, facts, message, (step) => flow(host, command, step, signal));
    };

  return {
    build_instance: onServer('build_instance', buildInstance),
    delete_instance: onServer('delete_instance', deleteInstance),
    attach_volume: onVolume('attach_volume', ({ disk }) => disk.volume, attachVolume),
    detach_volume: onVolume('detach_volume', ({ disk }) => disk.volume, detachVolume),
    extend_volume: onVolume('extend_volume', ({ volume }) => volume, extendVolume),
    ping: () => Promise.resolve({ host: commands.host, uptimeS: Math.round((clock.monotonic() - startedAt) / 1000) }),
  };
}
