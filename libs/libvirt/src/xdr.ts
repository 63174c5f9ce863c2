/**
 * XDR (RFC 4506) as libvirt uses it: big-endian, everything in multiples of four bytes, so that a char or a short takes
 * four as well. A codec knows one type both ways; limits are checked both ways. 64-bit values are bigint.
 */
export class XdrError extends Error {
  override readonly name = 'XdrError';
}

export interface Codec<T> {
  encode(writer: XdrWriter, value: T): void;
  decode(reader: XdrReader): T;
}
export type Decoded<C> = C extends Codec<infer T> ? T : never;

export class XdrWriter {
  private readonly parts: Buffer[] = [];

  append(part: Buffer): void {
    this.parts.push(part);
  }

  bytes(): Buffer {
    return Buffer.concat(this.parts);
  }
}

export class XdrReader {
  private offset = 0;

  constructor(private readonly buffer: Buffer) {}

  take(length: number): Buffer {
    const end = this.offset + length;
    if (end > this.buffer.length) {
      throw new XdrError(`${length} bytes wanted at ${this.offset}, the message ends at ${this.buffer.length}`);
    }
    const part = this.buffer.subarray(this.offset, end);
    this.offset = end;
    return part;
  }

  remaining(): number {
    return this.buffer.length - this.offset;
  }
}

export function encode<T>(codec: Codec<T>, value: T): Buffer {
  const writer = new XdrWriter();
  codec.encode(writer, value);
  return writer.bytes();
}

/** The value, which must fill the buffer to its end. */
export function decode<T>(codec: Codec<T>, buffer: Buffer): T {
  const reader = new XdrReader(buffer);
  const value = codec.decode(reader);
  if (reader.remaining() > 0) throw new XdrError(`${reader.remaining()} bytes left over`);
  return value;
}

const INT_MIN = -(2 ** 31);
const UINT_MAX = 2 ** 32 - 1;

function integer(low: number, high: number): Codec<number> {
  const check = (value: number): number => {
    if (Number.isInteger(value) && value >= low && value <= high) return value;
    throw new XdrError(`${value} is not an integer from ${low} to ${high}`);
  };
  return {
    encode: (writer, value) => {
      const word = Buffer.alloc(4);
      word.writeUInt32BE(check(value) >>> 0);
      writer.append(word);
    },
    decode: (reader) => {
      const word = reader.take(4);
      return check(low < 0 ? word.readInt32BE() : word.readUInt32BE());
    },
  };
}

/** Also enums. */
export const int = integer(INT_MIN, -INT_MIN - 1);
export const uint = integer(0, UINT_MAX);
/** One byte in C, four on the wire; a short and an unsigned char would be the same with other bounds. */
export const char = integer(-128, 127);

export const hyper: Codec<bigint> = {
  encode: (writer, value) => {
    const words = Buffer.alloc(8);
    if (BigInt.asIntN(64, value) !== value) throw new XdrError(`${value.toString()} does not fit into 64 signed bits`);
    words.writeBigInt64BE(value);
    writer.append(words);
  },
  decode: (reader) => reader.take(8).readBigInt64BE(),
};

export const uhyper: Codec<bigint> = {
  encode: (writer, value) => {
    const words = Buffer.alloc(8);
    if (BigInt.asUintN(64, value) !== value) throw new XdrError(`${value.toString()} does not fit into 64 bits`);
    words.writeBigUInt64BE(value);
    writer.append(words);
  },
  decode: (reader) => reader.take(8).readBigUInt64BE(),
};

/** 0 or 1, nothing else. */
export const bool: Codec<boolean> = {
  encode: (writer, value) => uint.encode(writer, value ? 1 : 0),
  decode: (reader) => {
    const value = uint.decode(reader);
    if (value > 1) throw new XdrError(`a boolean of ${value}`);
    return value === 1;
  },
};

const padding = (length: number): number => (4 - (length % 4)) % 4;

/** `length` bytes, padded to four, without a count before them. */
export function fixedOpaque(length: number): Codec<Buffer> {
  return {
    encode: (writer, value) => {
      if (value.length !== length) throw new XdrError(`${value.length} bytes where ${length} are fixed`);
      writer.append(value);
      writer.append(Buffer.alloc(padding(length)));
    },
    decode: (reader) => {
      const value = reader.take(length);
      reader.take(padding(length));
      return value;
    },
  };
}

export function opaque(limit: number): Codec<Buffer> {
  return {
    encode: (writer, value) => {
      uint.encode(writer, checkCount(value.length, limit));
      fixedOpaque(value.length).encode(writer, value);
    },
    decode: (reader) => fixedOpaque(checkCount(uint.decode(reader), limit)).decode(reader),
  };
}

/** UTF-8. The other side is C: a NUL would cut the text, so none is sent. */
export function string(limit: number): Codec<string> {
  const content = opaque(limit);
  return {
    encode: (writer, value) => {
      if (value.includes('\0')) throw new XdrError('a string with a NUL');
      content.encode(writer, Buffer.from(value, 'utf8'));
    },
    decode: (reader) => content.decode(reader).toString('utf8'),
  };
}

export function optional<T>(codec: Codec<T>): Codec<T | null> {
  return {
    encode: (writer, value) => {
      bool.encode(writer, value !== null);
      if (value !== null) codec.encode(writer, value);
    },
    decode: (reader) => (bool.decode(reader) ? codec.decode(reader) : null),
  };
}

export function array<T>(codec: Codec<T>, limit: number): Codec<readonly T[]> {
  return {
    encode: (writer, values) => {
      uint.encode(writer, checkCount(values.length, limit));
      for (const value of values) codec.encode(writer, value);
    },
    decode: (reader) => {
      const count = checkCount(uint.decode(reader), limit);
      return Array.from({ length: count }, () => codec.decode(reader));
    },
  };
}

/** `count` values without a count before them. */
export function fixedArray<T>(codec: Codec<T>, count: number): Codec<readonly T[]> {
  return {
    encode: (writer, values) => {
      if (values.length !== count) throw new XdrError(`${values.length} values where ${count} are fixed`);
      for (const value of values) codec.encode(writer, value);
    },
    decode: (reader) => Array.from({ length: count }, () => codec.decode(reader)),
  };
}

/** Fields in the order in which they are written here. */
export function struct<T extends object>(fields: { readonly [K in keyof T]: Codec<T[K]> }): Codec<T> {
  const names = Object.keys(fields) as (keyof T)[];
  return {
    encode: (writer, value) => {
      for (const name of names) fields[name].encode(writer, value[name]);
    },
    decode: (reader) => Object.fromEntries(names.map((name) => [name, fields[name].decode(reader)])) as T,
  };
}

/** No bytes at all: the arguments or the result of many procedures. */
export const nothing: Codec<undefined> = { encode: () => undefined, decode: () => undefined };

function checkCount(count: number, limit: number): number {
  if (count > limit) throw new XdrError(`a count of ${count}, above the limit of ${limit}`);
  return count;
}
