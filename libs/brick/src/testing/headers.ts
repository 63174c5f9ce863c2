/** The beginning of a LUKS header, as far as anybody reads it who does not open it. */
export function luksHeader(payloadOffset: number, version = 1): Buffer {
  const header = Buffer.alloc(592);
  header.write('LUKS\xba\xbe', 'latin1');
  header.writeUInt16BE(version, 6);
  header.writeUInt32BE(payloadOffset / 512, 104);
  return header;
}

/** A qcow2 header of version 3 and nothing after it. */
export function qcow2Header(virtualSize: number): Buffer {
  const header = Buffer.alloc(512);
  header.writeUInt32BE(0x514649fb, 0);
  header.writeUInt32BE(3, 4);
  header.writeUInt32BE(16, 20);
  header.writeBigUInt64BE(BigInt(virtualSize), 24);
  header.writeUInt32BE(104, 100);
  return header;
}
