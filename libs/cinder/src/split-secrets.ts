/**
 * The driver's connection_info without what must stay secret, and the secrets by their own names; null without any.
 * Looks into `data`, or beside `driver_volume_type` where Cinder shows the driver's fields without that level. Names of
 * secrets (`secret_uuid`, `auth_username`, `encryption_key_id`) are none.
 * Mirrors what cinder:volume drivers put in: CHAP (auth_password, discovery_auth_password), cephx (keyring), tokens.
 */
export interface SplitConnectionInfo {
  readonly info: unknown;
  readonly secret: Readonly<Record<string, string>> | null;
}

const SECRET = /(?:password|passphrase|keyring|token|secret|secret_?key|encryption_?key|private_?key)$/i;

export function splitSecrets(connectionInfo: unknown): SplitConnectionInfo {
  if (!isObject(connectionInfo)) return { info: connectionInfo, secret: null };
  const { data, ...beside } = connectionInfo;
  const outer = split(beside);
  const inner = isObject(data) ? split(data) : { open: data, secret: {} };
  const secret = { ...outer.secret, ...inner.secret };
  return {
    info: data === undefined ? outer.open : { ...outer.open, data: inner.open },
    secret: Object.keys(secret).length === 0 ? null : secret,
  };
}

/** An empty secret is left out on both sides; one that is no text travels as JSON. */
function split(fields: Readonly<Record<string, unknown>>) {
  const open: [string, unknown][] = [];
  const secret: [string, string][] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (!SECRET.test(name)) open.push([name, value]);
    else if (value !== null && value !== undefined && value !== '') {
      secret.push([name, typeof value === 'string' ? value : JSON.stringify(value)]);
    }
  }
  return { open: Object.fromEntries(open), secret: Object.fromEntries(secret) };
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
