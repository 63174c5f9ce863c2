import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EVENTS } from './events.js';
import { encodeFrame, type Frame, FrameReader, PROGRAM, STATUS, TYPE } from './frame.js';
import { errorBody } from './libvirt-error.js';
import { type ProcedureName, PROCEDURES, type ResultOf } from './procedures.js';
import { type Codec, encode } from './xdr.js';

/**
 * For specs: the other end of the socket, which answers the opening of a session as libvirtd does and everything else as
 * the test says. It keeps what it was sent.
 */
export class ScriptedPeer {
  readonly received: { readonly procedure: number; readonly serial: number; readonly program: number }[] = [];
  /** How a call is answered that does not belong to the opening; nothing by default. */
  onCall: (call: Frame, link: PeerLink) => void = () => undefined;
  authTypes: readonly number[] = [0];
  keepaliveSupported = 1;
  connections = 0;
  private readonly sockets = new Set<Socket>();
  private constructor(
    private readonly server: Server,
    private readonly folder: string,
    readonly socketPath: string,
  ) {}

  static async listen(): Promise<ScriptedPeer> {
    const folder = await mkdtemp(join(tmpdir(), 'novella-libvirt-peer-'));
    const server = createServer();
    const peer = new ScriptedPeer(server, folder, join(folder, 'sock'));
    server.on('connection', (socket) => peer.serve(socket));
    await peer.listenAgain();
    return peer;
  }

  async listenAgain(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(this.socketPath, resolve));
  }

  /** Drops every connection and takes no new one. */
  async stopListening(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.dropConnections();
    await closed;
  }

  dropConnections(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  /** To every connection. */
  send(bytes: Buffer): void {
    for (const socket of this.sockets) socket.write(bytes);
  }

  count(name: ProcedureName): number {
    return this.received.filter(
      ({ procedure, program }) => program === PROGRAM.remote && procedure === PROCEDURES[name].number,
    ).length;
  }

  keepalives(procedure: number): number {
    return this.received.filter((one) => one.program === PROGRAM.keepalive && one.procedure === procedure).length;
  }

  async close(): Promise<void> {
    if (this.server.listening) await this.stopListening();
    await rm(this.folder, { recursive: true, force: true });
  }

  private serve(socket: Socket): void {
    this.connections += 1;
    this.sockets.add(socket);
    const frames = new FrameReader();
    const link = new PeerLink(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      for (const frame of frames.push(chunk)) {
        this.received.push(frame);
        if (frame.program === PROGRAM.remote && !this.openSession(frame, link)) this.onCall(frame, link);
      }
    });
  }

  private openSession(call: Frame, link: PeerLink): boolean {
    switch (call.procedure) {
      case PROCEDURES.authList.number:
        link.reply(call, 'authList', { types: this.authTypes });
        return true;
      case PROCEDURES.connectOpen.number:
      case PROCEDURES.connectClose.number:
        link.reply(call, 'connectOpen', undefined);
        return true;
      case PROCEDURES.connectSupportsFeature.number:
        link.reply(call, 'connectSupportsFeature', { supported: this.keepaliveSupported });
        return true;
      case PROCEDURES.connectDomainEventCallbackRegisterAny.number:
        link.reply(call, 'connectDomainEventCallbackRegisterAny', { callbackId: 1 });
        return true;
      default:
        return false;
    }
  }
}

export class PeerLink {
  constructor(readonly socket: Socket) {}

  reply<Name extends ProcedureName>(call: Frame, name: Name, result: ResultOf<Name>): void {
    this.socket.write(replyPacket(call, name, result));
  }

  refuse(call: Frame, code: number, message: string): void {
    const none = { text1: null, text2: null, text3: null, domainRef: null, network: null };
    const body = encode(errorBody, { code, domain: 10, message, level: 2, int1: -1, int2: -1, ...none });
    this.socket.write(encodeFrame({ ...call, type: TYPE.reply, status: STATUS.error, body }));
  }
}

export function replyPacket<Name extends ProcedureName>(call: Frame, name: Name, result: ResultOf<Name>): Buffer {
  const codec = PROCEDURES[name].result as unknown as Codec<ResultOf<Name>>;
  return encodeFrame({ ...call, type: TYPE.reply, status: STATUS.ok, body: encode(codec, result) });
}

export function lifecyclePacket(uuid: string, event: number): Buffer {
  const body = encode(EVENTS.lifecycle.body, { callbackId: 1, domain: { name: 'one', uuid, id: 1 }, event, detail: 0 });
  return eventPacket(EVENTS.lifecycle.procedure, body);
}

export const eventPacket = (procedure: number, body: Buffer): Buffer =>
  encodeFrame({ program: PROGRAM.remote, procedure, type: TYPE.message, serial: 0, status: STATUS.ok, body });

export const keepalivePacket = (procedure: number): Buffer =>
  encodeFrame({
    program: PROGRAM.keepalive,
    procedure,
    type: TYPE.message,
    serial: 0,
    status: STATUS.ok,
    body: Buffer.alloc(0),
  });
