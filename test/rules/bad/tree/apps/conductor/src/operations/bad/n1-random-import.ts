import { randomInt as chance } from 'node:crypto';

export const jitter = (): number => chance(10);
