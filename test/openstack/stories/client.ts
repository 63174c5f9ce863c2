import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { type CommandEnd, commandEnd } from '../deployment/commands.js';
import type { DeploymentFacts } from '../deployment/facts.js';

/** The `openstack` command as one user of the deployment. */
export class OpenStackClient {
  constructor(
    private readonly facts: DeploymentFacts,
    private readonly environment: Readonly<Record<string, string>>,
  ) {}

  /** What it printed; rejects with what it complained of. Nova's microversion is the client's own unless it is said. */
  async run(...words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.end(...words);
    if (code !== 0) throw new Error(`openstack ${words.join(' ')} ended with ${code}: ${stderr}${stdout}`);
    return stdout;
  }

  async end(...words: readonly string[]): Promise<CommandEnd> {
    const answer = await fetch(`${this.facts.control}/openstack`, {
      method: 'POST',
      body: JSON.stringify({ words, environment: this.environment }),
    });
    return commandEnd.omit({ id: true }).parse(await answer.json());
  }

  /** As `run`, with `-f json`, and of that what the schema says. */
  async read<T extends z.ZodType>(schema: T, ...words: readonly string[]): Promise<z.output<T>> {
    return schema.parse(JSON.parse(await this.run(...words, '-f', 'json')));
  }

  /** The program itself, as a user starts it: two seconds each. */
  async program(...words: readonly string[]): Promise<string> {
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', ...this.environment };
    const { stdout } = await promisify(execFile)('/usr/bin/openstack', words, { env });
    return stdout.trim();
  }
}

/** The block storage and compute APIs by plain HTTP: for looking again and again, which the command is too slow for. */
export class Apis {
  private session: Promise<Session> | null = null;

  constructor(
    private readonly facts: DeploymentFacts,
    private readonly environment: Readonly<Record<string, string>>,
  ) {}

  volume(path: string): Promise<unknown> {
    return this.askVolume('GET', path);
  }

  async askVolume(method: string, path: string, body?: object): Promise<unknown> {
    return this.ask(method, ({ project }) => `${this.facts.volumeUrl}/${project}${path}`, 'volume 3.60', body);
  }

  compute(path: string): Promise<unknown> {
    return this.askCompute('GET', path);
  }

  askCompute(method: string, path: string, body?: object, microversion = '2.89'): Promise<unknown> {
    return this.ask(method, () => this.facts.computeUrl + path, `compute ${microversion}`, body);
  }

  private async ask(method: string, urlFor: (session: Session) => string, version: string, body?: object) {
    this.session ??= this.authenticate();
    const session = await this.session;
    const url = urlFor(session);
    const answer = await fetch(url, {
      method,
      headers: {
        'X-Auth-Token': session.token,
        'OpenStack-API-Version': version,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    // The next one is asked with a new token.
    if (answer.status === 401) this.session = null;
    if (!answer.ok) throw new NotAnswered(answer.status, `${method} ${url} answered ${answer.status}: ${text}`);
    return text === '' ? null : (JSON.parse(text) as unknown);
  }

  private async authenticate(): Promise<Session> {
    const { environment: of } = this;
    const user = { name: of['OS_USERNAME'], password: of['OS_PASSWORD'], domain: { id: of['OS_USER_DOMAIN_ID'] } };
    const project = { name: of['OS_PROJECT_NAME'], domain: { id: of['OS_PROJECT_DOMAIN_ID'] } };
    const auth = { identity: { methods: ['password'], password: { user } }, scope: { project } };
    const answer = await fetch(`${this.facts.identityUrl}/auth/tokens`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ auth }),
    });
    const told = z.object({ token: z.object({ project: z.object({ id: z.string() }) }) }).parse(await answer.json());
    return { token: answer.headers.get('x-subject-token') ?? '', project: told.token.project.id };
  }
}

interface Session {
  readonly token: string;
  readonly project: string;
}

export class NotAnswered extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}
