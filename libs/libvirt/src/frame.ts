import { encode, fixedArray, uint, XdrError, XdrReader } from './xdr.js';

/** libvirt's packet: a length that counts itself, six header words, a payload. libvirt:src/rpc/virnetprotocol.x */
export interface Frame {
  readonly program: number;
  readonly procedure: number;
  readonly type: number;
  readonly serial: number;
  readonly status: number;
  readonly body: Buffer;
}

export const PROGRAM = { remote: 0x20008086, qemu: 0x20008087, keepalive: 0x6b656570 } as const;
export const TYPE = { call: 0, reply: 1, message: 2 } as const;
export const STATUS = { ok: 0, error: 1 } as const;

const VERSION = 1;
const HEADER_BYTES = 28;
/** VIR_NET_MESSAGE_MAX of the newest libvirt, which does not count the length word; older ones send less. */
const LARGEST_FRAME_BYTES = 32 * 1024 * 1024 + 4;

const header = fixedArray(uint, 7);

export function encodeFrame(frame: Frame): Buffer {
  const length = HEADER_BYTES + frame.body.length;
  if (length > LARGEST_FRAME_BYTES) throw new XdrError(`a packet of ${length} bytes, above ${LARGEST_FRAME_BYTES}`);
  const words = [length, frame.program, VERSION, frame.procedure, frame.type, frame.serial, frame.status];
  return Buffer.concat([encode(header, words), frame.body]);
}

/** Cuts a byte stream into frames. Throws an XdrError for what cannot be a frame; it must not be used after that. */
export class FrameReader {
  private chunks: Buffer[] = [];
  private buffered = 0;
  /** Bytes that must be there before anything can be cut: a length word, or the frame that it announced. */
  private needed = 4;

  push(chunk: Buffer): Frame[] {
    this.chunks.push(chunk);
    this.buffered += chunk.length;
    if (this.buffered < this.needed) return [];
    let rest = Buffer.concat(this.chunks);
    const frames: Frame[] = [];
    for (;;) {
      this.needed = rest.length < 4 ? 4 : checkLength(rest.readUInt32BE());
      if (rest.length < this.needed) break;
      frames.push(parseFrame(rest.subarray(0, this.needed)));
      rest = rest.subarray(this.needed);
    }
    this.chunks = [rest];
    this.buffered = rest.length;
    return frames;
  }
}

function checkLength(length: number): number {
  if (length >= HEADER_BYTES && length <= LARGEST_FRAME_BYTES) return length;
  throw new XdrError(`a packet of ${length} bytes, not from ${HEADER_BYTES} to ${LARGEST_FRAME_BYTES}`);
}

function parseFrame(packet: Buffer): Frame {
  const reader = new XdrReader(packet);
  const words = header.decode(reader);
  const [, program = 0, version = 0, procedure = 0, type = 0, serial = 0, status = 0] = words;
  if (version !== VERSION) throw new XdrError(`version ${version} of program ${program}`);
  return { program, procedure, type, serial, status, body: reader.take(reader.remaining()) };
}
