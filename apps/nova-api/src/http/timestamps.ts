/** The two forms of time in answers; clients' parsers fail on the wrong one. */

/** `2026-01-02T03:04:05Z`: servers' created, updated, fault.created. */
export const secondsWithZone = (time: Date): string => `${time.toISOString().slice(0, 19)}Z`;

/** `2026-01-02T03:04:05.678000`, UTC without saying so: launched_at, terminated_at, all of os-instance-actions. */
export const microsecondsWithoutZone = (time: Date): string => `${time.toISOString().slice(0, 23)}000`;

const ISO_8601 =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2})?(?:[.,](\d{1,9}))?(?:Z|([+-]\d{2})(?::?(\d{2}))?)?)?$/;

/** A time in a query (ISO 8601, UTC unless it says otherwise), or null. */
export function parseTime(text: string): Date | null {
  const parts = ISO_8601.exec(text);
  if (parts === null) return null;
  const [, day, minute = '00:00', second = ':00', fraction = '0', zoneHours, zoneMinutes = '00'] = parts;
  const zone = zoneHours === undefined ? 'Z' : `${zoneHours}:${zoneMinutes}`;
  const time = new Date(`${day ?? ''}T${minute}${second}.${fraction.slice(0, 3)}${zone}`);
  return Number.isNaN(time.getTime()) ? null : time;
}
