/**
 * Whether a receiver that implements one version may take a message of another. A receiver that states no version takes
 * all; one that does takes none without. Mirrors oslo.messaging:oslo_messaging/_utils.py::version_is_compatible.
 */
export function versionIsCompatible(implemented: string | null, requested: string | null): boolean {
  if (implemented === null) return true;
  const have = parts(implemented);
  const want = requested === null ? null : parts(requested);
  if (have === null || want === null || have.major !== want.major) return false;
  if (want.minor !== have.minor) return want.minor < have.minor;
  return want.revision <= have.revision;
}

/** Null when it is no version; a malformed one is compatible with nothing. */
function parts(version: string): { major: number; minor: number; revision: number } | null {
  const match = /^(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?$/.exec(version);
  if (match === null) return null;
  return { major: Number(match[1]), minor: Number(match[2]), revision: Number(match[3] ?? 0) };
}
