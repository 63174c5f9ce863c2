import type { ClientOf, computeRpc, ConsoleOutput } from '@novella/contracts';
import { type ErrorCode, type HostName, NovellaError, type ServerId } from '@novella/core';

/** The hosts as nova-api can ask them: consoles, uptimes, faults that a test puts in, what they were asked. */
export class HostSimulator {
  readonly consoles = new Map<ServerId, string>();
  readonly asked: { readonly host: HostName; readonly args: ConsoleOutput }[] = [];
  uptimeS = 0;
  #fault: ErrorCode | null = null;

  /** Every call from now on fails so; null: none does. */
  fail(code: ErrorCode | null): void {
    this.#fault = code;
  }

  readonly client = (host: HostName): Pick<ClientOf<typeof computeRpc>, 'console_output' | 'ping'> => ({
    console_output: async (args) => {
      await this.#answering();
      this.asked.push({ host, args });
      const text = this.consoles.get(args.server);
      if (text === undefined) throw new NovellaError('domain-not-found', 'no such guest');
      const { lines } = args;
      return { output: lines === null ? text : lines === 0 ? '' : text.split('\n').slice(-lines).join('\n') };
    },
    ping: async () => {
      await this.#answering();
      return { host, uptimeS: this.uptimeS };
    },
  });

  async #answering(): Promise<void> {
    await Promise.resolve();
    if (this.#fault !== null) throw new NovellaError(this.#fault, `put in by the test: ${this.#fault}`);
  }
}
