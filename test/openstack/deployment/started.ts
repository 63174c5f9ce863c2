/** What has been started, ended in the opposite order; what fails to end does not keep the rest from it. */
export class Started {
  private readonly ends: { readonly name: string; readonly end: () => Promise<void> }[] = [];

  constructor(private readonly say: (line: string) => void) {}

  /** Runs `start`, tells how long it took, and remembers how to end what it answers. Rejects with `PartMissing`. */
  async part<T>(name: string, start: () => Promise<T>, end: (value: T) => Promise<void>): Promise<T> {
    const since = performance.now();
    try {
      const value = await start();
      this.ends.push({ name, end: () => end(value) });
      this.say(`${name} is there after ${seconds(since)}`);
      return value;
    } catch (error) {
      throw error instanceof PartMissing ? error : new PartMissing(name, { cause: error });
    }
  }

  async end(): Promise<void> {
    for (let last = this.ends.pop(); last !== undefined; last = this.ends.pop()) {
      const { name } = last;
      await last.end().catch((error: unknown) => this.say(`${name} did not end well: ${String(error)}`));
    }
  }
}

/** A part of the deployment that could not be had. */
export class PartMissing extends Error {
  constructor(
    readonly part: string,
    options: { cause: unknown },
  ) {
    super(`${part} cannot be had`, options);
  }
}

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;
