import type {
  AttachVolume,
  BuildInstance,
  DeleteInstance,
  DetachVolume,
  ExtendVolume,
  Outcome,
  PauseInstance,
  RebootInstance,
  ResumeInstance,
  StartInstance,
  StopInstance,
  SuspendInstance,
  UnpauseInstance,
} from '@novella/contracts';
import type { ErrorRecord, HostName, VerifiedBy, Visible, VolumeId, WaitingFor } from '@novella/core';
import type { Capacity, Operation, OperationFacts, RecordChanges, Service } from '@novella/persistence';
import type { ImageLinks } from '../images/image-links.js';
import type { VolumeService } from '../volume-service.js';

/**
 * The steps of a kind, by their names. Each is stored before it begins, so an operation may be found at any of them;
 * test/engine asks of each that it was entered, failed, repeated and cut off.
 */
export interface Steps {
  /** The conductor's own, at the volume service. */
  readonly own: readonly string[];
  /** A host's, each one command. */
  readonly onHost: readonly string[];
  /** Ends of own steps, with nothing to run before the next decision. */
  readonly reached: readonly string[];
}

/** A step as it is stored: its name; of `reconnect`, which is one step per volume, also the volume. */
export type Stored<Name extends string> = Name extends 'reconnect' ? `${Name} ${string}` : Name;
type OwnStep<S extends Steps> = Stored<S['own'][number]>;
type AnyStep<S extends Steps> = Stored<S[keyof Steps][number]>;

export const NO_STEPS = { own: [], onHost: [], reached: [] } as const satisfies Steps;

/**
 * What the engine does next with an operation. A plan is data: `decide` makes it without touching anything, the engine
 * carries it out, so every branch of a flow is a row of a table test. It names no step that the kind has not.
 */
export type Plan<S extends Steps = Steps> =
  /** Send a command; the host's answer, or its deadline, brings the operation back. */
  | {
      readonly do: 'dispatch';
      readonly step: Stored<S['onHost'][number]> | null;
      readonly host: HostName;
      readonly command: Command;
      /** What made an undo necessary; kept until the end. */
      readonly error?: ErrorRecord;
      readonly changes?: RecordChanges;
    }
  /** A step of the conductor's own, at the volume service. It is stored, with what the last one changed, before it runs. */
  | {
      readonly do: 'run';
      readonly step: OwnStep<S>;
      readonly changes?: RecordChanges;
      readonly error?: ErrorRecord;
    }
  /** Take the server's room on one of `hosts`, the best first. */
  | { readonly do: 'place'; readonly hosts: readonly HostName[]; readonly need: Capacity }
  /** `for` has a wake-up of its own; the backoff is only the second way out. */
  | {
      readonly do: 'wait';
      readonly for: WaitingFor;
      /** Where to go on; unchanged when left out. */
      readonly step?: AnyStep<S>;
      readonly error?: ErrorRecord;
      readonly countsAsFailure?: boolean;
    }
  | {
      readonly do: 'succeed';
      readonly verifiedBy?: VerifiedBy;
      readonly visible?: Visible;
      readonly changes?: RecordChanges;
      /** Volumes of which the guest was seen with too little: a system extend is opened for each before the end. */
      readonly behind?: readonly VolumeId[];
    }
  | { readonly do: 'fail'; readonly error: ErrorRecord; readonly changes?: RecordChanges };

export type Command =
  | { readonly method: 'build_instance'; readonly args: Omit<BuildInstance, 'token'> }
  | { readonly method: 'delete_instance'; readonly args: Omit<DeleteInstance, 'token'> }
  | { readonly method: 'attach_volume'; readonly args: Omit<AttachVolume, 'token'> }
  | { readonly method: 'detach_volume'; readonly args: Omit<DetachVolume, 'token'> }
  | { readonly method: 'extend_volume'; readonly args: Omit<ExtendVolume, 'token'> }
  | { readonly method: 'start_instance'; readonly args: Omit<StartInstance, 'token'> }
  | { readonly method: 'stop_instance'; readonly args: Omit<StopInstance, 'token'> }
  | { readonly method: 'reboot_instance'; readonly args: Omit<RebootInstance, 'token'> }
  | { readonly method: 'pause_instance'; readonly args: Omit<PauseInstance, 'token'> }
  | { readonly method: 'unpause_instance'; readonly args: Omit<UnpauseInstance, 'token'> }
  | { readonly method: 'suspend_instance'; readonly args: Omit<SuspendInstance, 'token'> }
  | { readonly method: 'resume_instance'; readonly args: Omit<ResumeInstance, 'token'> };

/** What one turn of the engine knows. `answer` is the host's to the present attempt, null in any other turn. */
export interface Turn {
  readonly operation: Operation;
  readonly rows: OperationFacts;
  readonly answer: Outcome | null;
}

/** What facts may be read from, and steps run against, besides the store's rows. */
export interface FlowIo {
  readonly volumes: VolumeService;
  /** Makes links by which a host may fetch an image; absent where hosts have images themselves. */
  readonly imageLinks?: Pick<ImageLinks, 'link'>;
  /** The services that servers can be placed on. */
  computeServices(): Promise<readonly Service[]>;
}

/**
 * One kind of operation: reads what it must know, decides, and runs the steps that it has named. `Facts` are what
 * `readFacts` adds to the rows.
 */
export interface OperationFlow<Facts, S extends Steps = Steps> {
  readonly steps: S;
  /** No writes. Errors of the volume service are thrown and become a wait or a failure by their code. */
  readFacts(turn: Turn, io: FlowIo): Promise<Facts>;
  /** Pure. The operation's `step` says how far it has come. */
  decide(turn: Turn, facts: Facts): Plan<S>;
  /** Runs the step that `decide` named; repeatable. Answers the step that comes next and what the rows shall say. */
  run?(step: OwnStep<S>, turn: Turn, io: FlowIo): Promise<StepDone<AnyStep<S>>>;
  /** Pure. What to do when a step has failed with an error that no retry mends; without it the step is tried again. */
  giveUp?(step: OwnStep<S>, turn: Turn, error: ErrorRecord): Plan<S>;
}

export interface StepDone<Step extends string = string> {
  readonly next: Step;
  readonly changes?: RecordChanges;
}
