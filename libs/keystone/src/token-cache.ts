import type { Millis } from '@novella/core';

interface Entry<T> {
  readonly value: T;
  readonly endsAt: number;
}

/** The most recently used values, each for a fixed time from when it was put in. A Map keeps the order of insertion. */
export class TokenCache<T> {
  private readonly entries = new Map<string, Entry<T>>();

  constructor(private readonly limits: { readonly entries: number; readonly life: Millis }) {}

  get(key: string, now: Millis): T | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    this.entries.delete(key);
    if (now >= entry.endsAt) return undefined;
    this.entries.set(key, entry);
    return entry.value;
  }

  put(key: string, value: T, now: Millis): void {
    this.entries.delete(key);
    this.entries.set(key, { value, endsAt: now + this.limits.life });
    if (this.entries.size <= this.limits.entries) return;
    const [oldest] = this.entries.keys();
    if (oldest !== undefined) this.entries.delete(oldest);
  }

  get size(): number {
    return this.entries.size;
  }
}
