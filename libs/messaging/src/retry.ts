import { type Millis, millis, NovellaError } from '@novella/core';

/** How a handler is repeated while its message stays unacked. */
export interface RetryLimits {
  readonly firstMs: number;
  /** The delay doubles up to this. */
  readonly longestMs: number;
  /** A fault that may pass (grade `unsure`) is repeated for so long. */
  readonly unsureForMs: number;
  /** What is no NovellaError is likely a defect: repeated, but for less, since the consumer is paused meanwhile. */
  readonly unknownForMs: number;
}

/** Below the 30 minutes after which RabbitMQ closes the channel of a consumer that does not ack. */
export const RETRY_LIMITS: RetryLimits = {
  firstMs: 1_000,
  longestMs: 30_000,
  unsureForMs: 15 * 60_000,
  unknownForMs: 2 * 60_000,
};

/** The wait before the next try; null when the fault will not pass, or has lasted too long. */
export function retryDelay(
  thrown: unknown,
  { tries, elapsedMs }: { tries: number; elapsedMs: number },
  limits: RetryLimits,
): Millis | null {
  const ours = thrown instanceof NovellaError;
  if (ours && thrown.grade !== 'unsure') return null;
  if (elapsedMs >= (ours ? limits.unsureForMs : limits.unknownForMs)) return null;
  return backoff(tries, limits);
}

export const backoff = (tries: number, { firstMs, longestMs }: RetryLimits): Millis =>
  millis(Math.min(firstMs * 2 ** (tries - 1), longestMs));
