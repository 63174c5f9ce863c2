import { name } from '@novella/core';

export const home = (): string => process.env['HOME'] ?? name;
