import { NovellaError } from '@novella/core';
import { encodeFrame, type Frame, STATUS, TYPE } from './frame.js';
import { errorBody, LibvirtError } from './libvirt-error.js';
import { type ArgsOf, type Procedure, type ProcedureName, PROCEDURES, type ResultOf } from './procedures.js';
import { decode, encode, XdrError } from './xdr.js';

interface PendingCall {
  readonly name: ProcedureName;
  readonly packet: (serial: number) => Buffer;
  readonly settle: (reply: Frame) => void;
  readonly reject: (error: Error) => void;
  timer: NodeJS.Timeout | undefined;
  /** Its caller has gone, but libvirtd still works on it: it holds its place until the late reply. */
  timedOut: boolean;
}

export interface CallLimits {
  readonly inFlight: number;
  readonly queued: number;
  readonly timeoutMs: number;
}

/**
 * The calls of one connection: sent in order, at most `inFlight` at once, answered in any order. A call ends with its
 * reply, at its time limit (counted from when it was asked for), or when the link drops.
 */
export class Calls {
  private readonly queue: PendingCall[] = [];
  private readonly inFlight = new Map<number, PendingCall>();
  private lastSerial = 0;
  private linkError: Error | null = null;

  constructor(
    private readonly limits: CallLimits,
    private readonly send: (packet: Buffer) => void,
    /** All places are held by calls that timed out: nothing can be asked any more. */
    private readonly onStuck: () => void,
  ) {}

  call<Name extends ProcedureName>(name: Name, args: ArgsOf<Name>): Promise<ResultOf<Name>> {
    return new Promise((resolve, reject) => {
      if (this.linkError) {
        reject(this.linkError);
        return;
      }
      if (this.queue.length >= this.limits.queued) {
        reject(unreachable(`${this.limits.queued} calls of libvirt are waiting already`, { procedure: name }));
        return;
      }
      // The table's entry for `Name` has these very types; TypeScript cannot follow a lookup by a type parameter.
      const procedure = PROCEDURES[name] as unknown as Procedure<ArgsOf<Name>, ResultOf<Name>>;
      const body = encode(procedure.args, args);
      const call: PendingCall = {
        name,
        packet: (serial) =>
          encodeFrame({
            program: procedure.program,
            procedure: procedure.number,
            type: TYPE.call,
            serial,
            status: STATUS.ok,
            body,
          }),
        settle: (reply) => resolve(decode(procedure.result, reply.body)),
        reject,
        timer: setTimeout(() => this.timeOut(call), this.limits.timeoutMs),
        timedOut: false,
      };
      this.queue.push(call);
      this.sendNext();
    });
  }

  /** Throws an XdrError when the reply cannot be read; the connection is then no good. */
  onReply(reply: Frame): void {
    const call = this.inFlight.get(reply.serial);
    if (!call) throw new XdrError(`a reply to serial ${reply.serial}, which is not under way`);
    if (reply.status === STATUS.error) {
      const error = decode(errorBody, reply.body);
      call.reject(new LibvirtError(error.code, error.domain, error.message ?? 'no message', call.name));
    } else if (reply.status === STATUS.ok) {
      call.settle(reply);
    } else {
      throw new XdrError(`a reply of status ${reply.status}`);
    }
    clearTimeout(call.timer);
    this.inFlight.delete(reply.serial);
    this.sendNext();
  }

  /** Every caller that waits gets `error`, and so does everyone who calls from now on. */
  drop(error: Error): void {
    this.linkError = error;
    for (const call of [...this.inFlight.values(), ...this.queue.splice(0)]) {
      clearTimeout(call.timer);
      call.reject(error);
    }
    this.inFlight.clear();
  }

  private sendNext(): void {
    while (this.inFlight.size < this.limits.inFlight) {
      const call = this.queue.shift();
      if (!call) return;
      this.lastSerial = this.lastSerial === 0xffff_ffff ? 1 : this.lastSerial + 1;
      this.inFlight.set(this.lastSerial, call); // before it is sent: the reply finds it
      this.send(call.packet(this.lastSerial));
    }
  }

  private timeOut(call: PendingCall): void {
    call.timedOut = true;
    const facts = { procedure: call.name, timeoutMs: this.limits.timeoutMs };
    call.reject(unreachable('libvirt did not answer a call in time', facts));
    const queued = this.queue.indexOf(call);
    if (queued >= 0) this.queue.splice(queued, 1);
    const held = [...this.inFlight.values()].filter((other) => other.timedOut).length;
    if (held >= this.limits.inFlight) this.onStuck();
  }
}

function unreachable(message: string, facts: Record<string, string | number>): NovellaError {
  return new NovellaError('hypervisor-unreachable', message, facts);
}
