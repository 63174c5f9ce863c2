// Starting other programs: one that the user watches, and one whose output matters only when it fails.
import { spawn } from 'node:child_process';

/** Resolves with the exit code (128 for a signal). SIGINT and SIGTERM sent to us are passed on, so that it can end well. */
export function watched(command, args, options = {}) {
  return ended(spawn(command, args, { stdio: 'inherit', ...options }));
}

/** As `watched`, but silent: resolves with the exit code and all that was said. */
export async function silent(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const said = [];
  child.stdout.on('data', (chunk) => said.push(chunk));
  child.stderr.on('data', (chunk) => said.push(chunk));
  const code = await ended(child);
  return { code, output: Buffer.concat(said).toString() };
}

function ended(child) {
  const pass = (signal) => child.kill(signal);
  process.on('SIGINT', pass).on('SIGTERM', pass);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 128));
  }).finally(() => process.off('SIGINT', pass).off('SIGTERM', pass));
}

/** Runs `work` and prints `... still <what>, <n> s` every `everyMs`, for those who watch a log. */
export async function withSignsOfLife(what, work, everyMs = 45_000) {
  const since = Date.now();
  const timer = setInterval(() => {
    process.stdout.write(`... still ${what}, ${Math.round((Date.now() - since) / 1000)} s\n`);
  }, everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
