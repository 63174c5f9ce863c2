import { z } from 'zod';

/**
 * What is in a Keystone that a test may fill: projects, users, roles, the catalog and tokens, by plain HTTP as its first
 * administrator. Names are unique in a domain; all is made in the domain `default` unless said.
 */
export interface KeystoneDomain {
  readonly id: string;
  readonly name: string;
}
export interface KeystoneProject {
  readonly id: string;
  readonly name: string;
  readonly domainId: string;
}
export interface KeystoneUser {
  readonly id: string;
  readonly name: string;
  readonly password: string;
  readonly domainId: string;
}
/** What roles are granted on. */
export type KeystoneScope =
  { readonly project: KeystoneProject } | { readonly domain: KeystoneDomain } | { readonly system: 'all' };
/** What a token speaks for: `unscoped` has no roles. */
export type TokenScope = KeystoneScope | 'unscoped';

export interface ApplicationCredential {
  readonly id: string;
  readonly secret: string;
}
export interface AccessRule {
  /** Of the catalog: `compute`. */
  readonly service: string;
  readonly method: string;
  /** `/v2.1/servers/*`: `*` is one part of a path, `**` any number, `{name}` one part. */
  readonly path: string;
}
export interface EndpointUrls {
  readonly public: string;
  readonly internal: string;
  readonly admin: string;
}

export const REGION = 'RegionOne';
const DEFAULT_DOMAIN: KeystoneDomain = { id: 'default', name: 'Default' };

const answers = {
  id: z.object({ id: z.string() }),
  listed: z.array(z.object({ id: z.string(), name: z.string() })),
};

export class KeystoneCloud {
  /** `http://127.0.0.1:port/v3` */
  readonly url: string;
  readonly region = REGION;
  readonly defaultDomain = DEFAULT_DOMAIN;
  private adminToken: Promise<string> | null = null;
  private readonly roleIds = new Map<string, string>();

  constructor(url: string) {
    this.url = url;
  }

  /** Has role admin on the project `admin` and on the system. */
  async admin(): Promise<{ readonly user: KeystoneUser; readonly project: KeystoneProject }> {
    const [user] = answers.listed.parse(await this.list('/users?name=admin', 'users'));
    const [project] = answers.listed.parse(await this.list('/projects?name=admin', 'projects'));
    if (user === undefined || project === undefined) throw new Error('Keystone has no administrator');
    return {
      user: { ...user, password: 'secret', domainId: DEFAULT_DOMAIN.id },
      project: { ...project, domainId: DEFAULT_DOMAIN.id },
    };
  }

  async createDomain(name: string): Promise<KeystoneDomain> {
    return { id: await this.create('/domains', { domain: { name } }), name };
  }

  async createProject(name: string, domain: KeystoneDomain = DEFAULT_DOMAIN): Promise<KeystoneProject> {
    const id = await this.create('/projects', { project: { name, domain_id: domain.id } });
    return { id, name, domainId: domain.id };
  }

  /** With the password `secret` unless given. */
  async createUser(
    name: string,
    { password = 'secret', domain = DEFAULT_DOMAIN }: { password?: string; domain?: KeystoneDomain } = {},
  ): Promise<KeystoneUser> {
    const id = await this.create('/users', { user: { name, password, domain_id: domain.id } });
    return { id, name, password, domainId: domain.id };
  }

  /** There are admin, manager, member, reader (each has the ones after it) and service; any other is made. */
  async grant(user: KeystoneUser, scope: KeystoneScope, ...roles: readonly string[]): Promise<void> {
    for (const role of roles) {
      await this.call('PUT', `${pathOf(scope)}/users/${user.id}/roles/${await this.roleId(role)}`);
    }
  }

  async revokeGrant(user: KeystoneUser, scope: KeystoneScope, role: string): Promise<void> {
    await this.call('DELETE', `${pathOf(scope)}/users/${user.id}/roles/${await this.roleId(role)}`);
  }

  /** A new user with these roles on the project. */
  async createUserIn(project: KeystoneProject, name: string, ...roles: readonly string[]): Promise<KeystoneUser> {
    const user = await this.createUser(name);
    await this.grant(user, { project }, ...roles);
    return user;
  }

  /** An entry of the catalog, with its endpoints in the region. `%(project_id)s` in a URL is the token's project. */
  async createService(type: string, name: string, url: string | EndpointUrls): Promise<void> {
    const service_id = await this.create('/services', { service: { type, name } });
    for (const kind of ['public', 'internal', 'admin'] as const) {
      const endpoint = {
        service_id,
        interface: kind,
        region_id: REGION,
        url: typeof url === 'string' ? url : url[kind],
      };
      await this.create('/endpoints', { endpoint });
    }
  }

  async deleteUser(user: KeystoneUser): Promise<void> {
    await this.call('DELETE', `/users/${user.id}`);
  }

  async disableUser(user: KeystoneUser): Promise<void> {
    await this.call('PATCH', `/users/${user.id}`, { user: { enabled: false } });
  }

  /** Tokens issued before stay as they are: only revoke ends them. */
  token(user: KeystoneUser, scope: TokenScope): Promise<string> {
    const password = { user: { id: user.id, password: user.password } };
    const identity = { methods: ['password'], password };
    return this.authenticate({ identity, scope: scope === 'unscoped' ? 'unscoped' : tokenScope(scope) });
  }

  tokenOf({ id, secret }: ApplicationCredential): Promise<string> {
    const identity = { methods: ['application_credential'], application_credential: { id, secret } };
    return this.authenticate({ identity });
  }

  async revoke(token: string): Promise<void> {
    await this.call('DELETE', '/auth/tokens', undefined, { 'X-Subject-Token': token });
  }

  /** With all the user's roles on the project. Without rules it is good for everything. */
  async createApplicationCredential(
    user: KeystoneUser,
    project: KeystoneProject,
    name: string,
    accessRules: readonly AccessRule[] = [],
  ): Promise<ApplicationCredential> {
    const rules = accessRules.length === 0 ? {} : { access_rules: accessRules };
    const headers = { 'X-Auth-Token': await this.token(user, { project }) };
    const body = { application_credential: { name, ...rules } };
    const made = await this.call('POST', `/users/${user.id}/application_credentials`, body, headers);
    return z.object({ application_credential: z.object({ id: z.string(), secret: z.string() }) }).parse(made)
      .application_credential;
  }

  /** What OpenStack's clients read: OS_AUTH_URL and the rest. */
  environment(user: KeystoneUser, project: KeystoneProject): Record<string, string> {
    return {
      OS_AUTH_URL: this.url,
      OS_IDENTITY_API_VERSION: '3',
      OS_USERNAME: user.name,
      OS_PASSWORD: user.password,
      OS_USER_DOMAIN_ID: user.domainId,
      OS_PROJECT_NAME: project.name,
      OS_PROJECT_DOMAIN_ID: project.domainId,
      OS_REGION_NAME: REGION,
    };
  }

  /** As the administrator unless a token is given. Answers the JSON; throws when Keystone refuses. */
  async call(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<unknown> {
    this.adminToken ??= this.authenticate(ADMIN);
    const token = await this.adminToken;
    const answer = await this.send(method, path, body, { 'X-Auth-Token': token, ...headers });
    return answer.json;
  }

  private async authenticate(auth: object): Promise<string> {
    const { headers } = await this.send('POST', '/auth/tokens', { auth }, {});
    const token = headers.get('x-subject-token');
    if (token === null) throw new Error('Keystone gave no token');
    return token;
  }

  private async send(method: string, path: string, body: object | undefined, headers: Record<string, string>) {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: { ...headers, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Keystone answered ${answer.status} to ${method} ${path}: ${text}`);
    return { headers: answer.headers, json: text === '' ? null : (JSON.parse(text) as unknown) };
  }

  private async create(path: string, body: object): Promise<string> {
    const made = z.record(z.string(), z.unknown()).parse(await this.call('POST', path, body));
    return answers.id.parse(Object.values(made)[0]).id;
  }

  private async list(path: string, key: string): Promise<unknown> {
    return z.record(z.string(), z.unknown()).parse(await this.call('GET', path))[key];
  }

  private async roleId(name: string): Promise<string> {
    const known = this.roleIds.get(name);
    if (known !== undefined) return known;
    const [found] = answers.listed.parse(await this.list(`/roles?name=${encodeURIComponent(name)}`, 'roles'));
    const id = found?.id ?? (await this.create('/roles', { role: { name } }));
    this.roleIds.set(name, id);
    return id;
  }
}

const ADMIN = {
  identity: {
    methods: ['password'],
    password: { user: { name: 'admin', password: 'secret', domain: { id: 'default' } } },
  },
  scope: { project: { name: 'admin', domain: { id: 'default' } } },
};

function pathOf(scope: KeystoneScope): string {
  if ('project' in scope) return `/projects/${scope.project.id}`;
  return 'domain' in scope ? `/domains/${scope.domain.id}` : '/system';
}

function tokenScope(scope: KeystoneScope): object {
  if ('project' in scope) return { project: { id: scope.project.id } };
  return 'domain' in scope ? { domain: { id: scope.domain.id } } : { system: { all: true } };
}
