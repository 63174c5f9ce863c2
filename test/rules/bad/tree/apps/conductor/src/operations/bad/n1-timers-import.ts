import { setTimeout as sleep } from 'node:timers/promises';

export const later = (): Promise<void> => sleep(1);
