import { StringDecoder } from 'node:string_decoder';

/** What a peer has sent is no JSON line. */
export class LineError extends Error {}

/** Cuts a stream into lines and reads each as JSON. After a LineError the stream cannot be trusted any more. */
export class JsonLines {
  private readonly decoder = new StringDecoder('utf8');
  private begun = '';

  /** `longest`: characters of a line, so that a peer cannot fill the memory. */
  constructor(private readonly longest: number) {}

  *push(chunk: Buffer): Generator<unknown, void> {
    const lines = (this.begun + this.decoder.write(chunk)).split('\n');
    this.begun = lines.pop() ?? '';
    for (const line of lines) yield parsed(line);
    if (this.begun.length > this.longest) throw new LineError(`a line of more than ${this.longest} characters`);
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new LineError('a line that is not JSON', { cause });
  }
}
