import 'reflect-metadata';
import { parseOptions, USAGE, type VerifyOptions } from './options.js';
import { verify } from './run.js';

/** One Ctrl-C arrives up to three times: from the terminal, from npm and from run.mjs. */
const SAME_SIGNAL_MS = 1_000;
const INTERRUPTED = 130;

const parsed = parseOptions(process.argv.slice(2));
switch (parsed.kind) {
  case 'help':
    process.stdout.write(USAGE);
    break;
  case 'wrong':
    process.stderr.write(`${parsed.faults.map((fault) => `verify: ${fault}\n`).join('')}\n${USAGE}`);
    process.exitCode = 2;
    break;
  case 'run':
    process.exit(await exitCodeOf(parsed.options));
}

async function exitCodeOf(options: VerifyOptions): Promise<number> {
  const signal = interruption();
  try {
    const write = (text: string): void => void process.stdout.write(text);
    return (await verify(options, { write, signal })) ? 0 : 1;
  } catch (error) {
    if (signal.aborted) return INTERRUPTED;
    process.stderr.write(`verify: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return 1;
  }
}

/** The first signal ends everything that was started, one that comes later this process at once; guards then end the rest. */
function interruption(): AbortSignal {
  const interrupted = new AbortController();
  let since: number | null = null;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (since !== null && performance.now() - since > SAME_SIGNAL_MS) process.exit(INTERRUPTED);
      if (since !== null) return;
      since = performance.now();
      process.stdout.write('ending everything that was started; once more Ctrl-C ends at once\n');
      interrupted.abort(new Error('interrupted'));
    });
  }
  return interrupted.signal;
}
