import { encodeFrame, type Frame, PROGRAM, STATUS, TYPE } from './frame.js';

const PING = 1;
const PONG = 2;

export interface KeepaliveLimits {
  /** After so long without a byte from libvirtd we ask for one. */
  readonly intervalMs: number;
  /** After so many unanswered questions the link is dead. */
  readonly missed: number;
}

/** libvirt:src/rpc/virkeepaliveprotocol.x: either side pings and the other answers; neither has a body or a serial. */
export class Keepalive {
  private timer: NodeJS.Timeout | undefined;
  private unanswered = 0;

  constructor(
    private readonly limits: KeepaliveLimits,
    private readonly send: (packet: Buffer) => void,
    private readonly onDead: () => void,
  ) {}

  /** Only after libvirtd has said that it knows keepalive: another one drops a connection that pings. */
  start(): void {
    this.timer = setInterval(() => {
      if (this.unanswered >= this.limits.missed) {
        this.onDead();
        return;
      }
      this.unanswered += 1;
      this.send(keepalivePacket(PING));
    }, this.limits.intervalMs);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Anything from the other side is a sign of life. */
  heard(): void {
    this.unanswered = 0;
    this.timer?.refresh();
  }

  onFrame(frame: Frame): void {
    if (frame.procedure === PING) this.send(keepalivePacket(PONG));
  }
}

function keepalivePacket(procedure: number): Buffer {
  return encodeFrame({
    program: PROGRAM.keepalive,
    procedure,
    type: TYPE.message,
    serial: 0,
    status: STATUS.ok,
    body: Buffer.alloc(0),
  });
}
