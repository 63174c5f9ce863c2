import type { Clock, Log } from '@novella/core';

/**
 * What happened, a line each, with the virtual time. All of it is kept only when it is wanted; a digest of all lines,
 * by which two runs of one seed can be compared, is kept always.
 */
export class Trace {
  readonly lines: string[] = [];
  private hash = 0x811c9dc5;

  constructor(
    private readonly clock: Clock,
    private readonly keep: boolean,
  ) {}

  say(who: string, what: string): void {
    const line = `${(this.clock.monotonic() / 1_000).toFixed(3).padStart(9)} ${who.padEnd(12)} ${what}`;
    for (let at = 0; at < line.length; at += 1) this.hash = Math.imul(this.hash ^ line.charCodeAt(at), 0x01000193);
    if (this.keep) this.lines.push(line);
  }

  get digest(): string {
    return (this.hash >>> 0).toString(16).padStart(8, '0');
  }

  /** What a process logs; debug lines only when all is kept, as they are many. */
  log(who: string): Log {
    const say = (level: string) => (message: string, facts?: unknown) => {
      if (this.keep) this.lines.push(`${''.padStart(9)} ${who.padEnd(12)}   ${level} ${message} ${asText(facts)}`);
    };
    return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
  }
}

const asText = (facts: unknown): string => (facts === undefined ? '' : JSON.stringify(facts, withoutStack));

const withoutStack = (_key: string, value: unknown): unknown =>
  value instanceof Error ? { message: value.message, ...('code' in value ? { code: value.code } : {}) } : value;
