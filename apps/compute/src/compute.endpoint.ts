import {
  type AttachVolume,
  type BuildInstance,
  computeRpc,
  type ConsoleOutput,
  type DeleteInstance,
  type DetachVolume,
  type ExtendVolume,
  type HandlersOf,
  type MessageFacts,
  type PauseInstance,
  type RebootInstance,
  type ResumeInstance,
  type StartInstance,
  type StopInstance,
  type SuspendInstance,
  type UnpauseInstance,
} from '@novella/contracts';
import { RpcEndpoint } from '@novella/messaging';
import { Inject } from '@nestjs/common';
import type { Compute } from './compute.js';

export const COMPUTE = Symbol('compute');

type Handlers = HandlersOf<typeof computeRpc>;

/** The contract's methods as Nest finds them; all there is to do is in the handlers. */
@RpcEndpoint(computeRpc)
export class ComputeEndpoint implements Handlers {
  constructor(@Inject(COMPUTE) private readonly compute: Compute) {}

  build_instance(command: BuildInstance, message: MessageFacts): Promise<void> {
    return this.compute.handlers.build_instance(command, message);
  }

  delete_instance(command: DeleteInstance, message: MessageFacts): Promise<void> {
    return this.compute.handlers.delete_instance(command, message);
  }

  attach_volume(command: AttachVolume, message: MessageFacts): Promise<void> {
    return this.compute.handlers.attach_volume(command, message);
  }

  detach_volume(command: DetachVolume, message: MessageFacts): Promise<void> {
    return this.compute.handlers.detach_volume(command, message);
  }

  extend_volume(command: ExtendVolume, message: MessageFacts): Promise<void> {
    return this.compute.handlers.extend_volume(command, message);
  }

  start_instance(command: StartInstance, message: MessageFacts): Promise<void> {
    return this.compute.handlers.start_instance(command, message);
  }

  stop_instance(command: StopInstance, message: MessageFacts): Promise<void> {
    return this.compute.handlers.stop_instance(command, message);
  }

  reboot_instance(command: RebootInstance, message: MessageFacts): Promise<void> {
    return this.compute.handlers.reboot_instance(command, message);
  }

  pause_instance(command: PauseInstance, message: MessageFacts): Promise<void> {
    return this.compute.handlers.pause_instance(command, message);
  }

  unpause_instance(command: UnpauseInstance, message: MessageFacts): Promise<void> {
    return this.compute.handlers.unpause_instance(command, message);
  }

  suspend_instance(command: SuspendInstance, message: MessageFacts): Promise<void> {
    return this.compute.handlers.suspend_instance(command, message);
  }

  resume_instance(command: ResumeInstance, message: MessageFacts): Promise<void> {
    return this.compute.handlers.resume_instance(command, message);
  }

  ping(nothing: Record<string, never>, message: MessageFacts): ReturnType<Handlers['ping']> {
    return this.compute.handlers.ping(nothing, message);
  }

  console_output(asked: ConsoleOutput, message: MessageFacts): ReturnType<Handlers['console_output']> {
    return this.compute.handlers.console_output(asked, message);
  }
}
