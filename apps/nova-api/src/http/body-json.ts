import { isUtf8 } from 'node:buffer';
import { ApiFault } from './fault.js';

/** Deeper than any request means to be; what walks a body later may call itself for each level. */
const MOST_LEVELS = 100;
/** What an assignment takes for something else than a key; nobody means it. */
const UNSAFE_KEY = '__proto__';

/** The JSON that a body holds, or the 400 of a body that holds none (nova:nova/api/openstack/wsgi.py). */
export function bodyJson(bytes: Buffer): unknown {
  const value = isUtf8(bytes) ? parsed(bytes.toString('utf8')) : undefined;
  if (value === undefined || !isHarmless(value, MOST_LEVELS)) throw new ApiFault(400, 'Malformed request body');
  return value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isHarmless(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0) return false;
  if (Array.isArray(value)) return value.every((item) => isHarmless(item, levels - 1));
  return Object.entries(value).every(([key, item]) => key !== UNSAFE_KEY && isHarmless(item, levels - 1));
}
