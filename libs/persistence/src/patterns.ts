/**
 * Regular expressions come from users, and Postgres matches some of them very slowly. These bounds keep out what no filter
 * needs: references back, patterns longer than any name, repetitions of repetitions. What is slow still is broken off.
 */
const LONGEST = 255;
const MOST_REPETITIONS = 1_000;

export function isTooMuch(pattern: string): boolean {
  if (pattern.length > LONGEST || /(?:^|[^\\])(?:\\\\)*\\[1-9]/.test(pattern)) return true;
  const bounds = [...pattern.matchAll(/\{(\d*),?(\d*)\}/g)].map(([, least = '', most = '']) =>
    Number(most || least || 1),
  );
  return bounds.reduce((product, bound) => product * Math.max(bound, 1), 1) > MOST_REPETITIONS;
}
