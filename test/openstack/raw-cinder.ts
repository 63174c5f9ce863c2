import { request } from 'undici';

/** What a user does to Cinder, by plain HTTP: no client of ours in between. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
}
export interface RawCinder {
  readonly url: string;
  readonly project: string;
  /** `path` below the project. */
  call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, options?: RawOptions): Promise<RawAnswer>;
}
export interface RawOptions {
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly text?: string;
  readonly microversion?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** The project in the URL, when it shall differ from the token's. */
  readonly urlProject?: string;
}

export function rawCinder(url: string, project: string, token = `demo:${project}`): RawCinder {
  return {
    url,
    project,
    async call(method, path, { body, text, microversion = '3.44', headers = {}, urlProject = project } = {}) {
      const content = text ?? (body === undefined ? null : JSON.stringify(body));
      const answer = await request(`${url}/${urlProject}${path}`, {
        method,
        body: content,
        headers: {
          accept: 'application/json',
          'x-auth-token': token,
          ...(microversion === null ? {} : { 'openstack-api-version': `volume ${microversion}` }),
          ...(content === null ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
      });
      const received = await answer.body.text();
      return {
        status: answer.statusCode,
        headers: answer.headers,
        body: received === '' ? null : JSON.parse(received),
      };
    },
  };
}

/** Looks every 50 ms until `good`; fails after `limitMs` with what it saw last. */
export async function until<T>(look: () => Promise<T> | T, good: (seen: T) => boolean, limitMs = 60_000): Promise<T> {
  for (let waited = 0; ; waited += 50) {
    const seen = await look();
    if (good(seen)) return seen;
    if (waited >= limitMs) throw new Error(`still not as expected: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
