/** Prints what each part says, as it happens, with the seconds since the start. */
export type Speaker = 'demo' | 'cinder' | 'nova' | 'host' | 'hypervisor' | 'guest';

export class Narrator {
  private readonly start = performance.now();

  constructor(private readonly write: (line: string) => void) {}

  say(speaker: Speaker, text: string): void {
    const at = ((performance.now() - this.start) / 1000).toFixed(2).padStart(7);
    this.write(`${at} s  ${speaker.padEnd(10)}  ${text}\n`);
  }

  seconds(): number {
    return (performance.now() - this.start) / 1000;
  }
}

export const inGib = (bytes: number): string => {
  const gib = bytes / 2 ** 30;
  return `${Number.isInteger(gib) ? gib : gib.toFixed(3)} GiB`;
};
