import type { Random } from '@novella/core';

/** As many characters as Nova's [DEFAULT] password_length; none that are read for one another. */
const LENGTH = 12;
const LETTERS = '23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

export const newPassword = (random: Random): string =>
  Array.from({ length: LENGTH }, () => LETTERS.charAt(Math.floor(random.fraction() * LETTERS.length))).join('');
