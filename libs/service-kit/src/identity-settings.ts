import { IsArray, IsIn, IsNotEmpty, IsOptional, IsString, ValidateIf } from 'class-validator';
import { Env } from './config.js';
import { IsEndpoint, IsNoauthWithoutKeystone } from './config-rules.js';

/** How a service proves itself to others, and where they are. */
export type OpenStackAccess =
  | { readonly kind: 'noauth2'; readonly cinderEndpoint: string }
  | {
      readonly kind: 'keystone';
      readonly keystone: KeystoneAccess;
      /** null: as the catalog says. */
      readonly cinderEndpoint: string | null;
    };

/** `endpoints`: which of the catalog's are taken. */
export interface KeystoneAccess {
  readonly authUrl: string;
  readonly credentials:
    | {
        readonly kind: 'password';
        readonly username: string;
        readonly userDomain: string;
        readonly password: string;
        readonly project: string;
        readonly projectDomain: string;
      }
    | { readonly kind: 'application-credential'; readonly id: string; readonly secret: string };
  readonly endpoints: { readonly interfaces: readonly string[]; readonly region: string | null };
}

const withKeystone = (settings: IdentitySettings): boolean => settings.authStrategy === 'keystone';
const withApplicationCredential = (settings: IdentitySettings): boolean =>
  settings.applicationCredentialId !== undefined || settings.applicationCredentialSecret !== undefined;
const withPassword = (settings: IdentitySettings): boolean =>
  withKeystone(settings) && !withApplicationCredential(settings);

/** Who is believed, and as whom we ask others: the settings of programs that talk to OpenStack's services. */
export class IdentitySettings {
  /** There is no default: noauth2 believes every token. */
  @Env('NOVELLA_AUTH_STRATEGY')
  @IsIn(['keystone', 'noauth2'])
  @IsNoauthWithoutKeystone('keystoneAuthUrl')
  readonly authStrategy!: 'keystone' | 'noauth2';

  /** `http://controller:5000/v3` */
  @Env('NOVELLA_KEYSTONE_AUTH_URL', { type: 'text' })
  @ValidateIf(withKeystone)
  @IsEndpoint()
  readonly keystoneAuthUrl?: string;

  @Env('NOVELLA_KEYSTONE_USERNAME', { type: 'text' })
  @ValidateIf(withPassword)
  @IsNotEmpty()
  readonly keystoneUsername?: string;

  @Env('NOVELLA_KEYSTONE_PASSWORD', { type: 'text', secret: true })
  @ValidateIf(withPassword)
  @IsNotEmpty()
  readonly keystonePassword?: string;

  @Env('NOVELLA_KEYSTONE_USER_DOMAIN')
  @IsString()
  readonly keystoneUserDomain: string = 'Default';

  @Env('NOVELLA_KEYSTONE_PROJECT')
  @IsString()
  readonly keystoneProject: string = 'service';

  @Env('NOVELLA_KEYSTONE_PROJECT_DOMAIN')
  @IsString()
  readonly keystoneProjectDomain: string = 'Default';

  /** Instead of user and password. */
  @Env('NOVELLA_KEYSTONE_APPLICATION_CREDENTIAL_ID', { type: 'text' })
  @ValidateIf(withApplicationCredential)
  @IsNotEmpty()
  readonly applicationCredentialId?: string;

  @Env('NOVELLA_KEYSTONE_APPLICATION_CREDENTIAL_SECRET', { type: 'text', secret: true })
  @ValidateIf(withApplicationCredential)
  @IsNotEmpty()
  readonly applicationCredentialSecret?: string;

  /** Of the catalog's endpoints; unless given, the first of any region. */
  @Env('NOVELLA_KEYSTONE_REGION', { type: 'text' })
  @IsOptional()
  @IsString()
  readonly keystoneRegion?: string;

  /** Of the catalog's endpoints, in the order of preference. */
  @Env('NOVELLA_KEYSTONE_INTERFACES')
  @IsArray()
  @IsIn(['internal', 'public', 'admin'], { each: true })
  readonly keystoneInterfaces: string[] = ['internal', 'public'];

  /** Cinder's v3 API without a project, `http://127.0.0.1:8776/v3`; with Keystone, the catalog knows it. */
  @Env('NOVELLA_CINDER_ENDPOINT', { type: 'text' })
  @ValidateIf((settings: IdentitySettings) => !withKeystone(settings) || settings.cinderEndpoint !== undefined)
  @IsEndpoint()
  readonly cinderEndpoint?: string;
}

/** What the settings say, in one piece. They have been checked: what one part needs is there. */
export function openStackAccess(settings: Readonly<IdentitySettings>): OpenStackAccess {
  const { cinderEndpoint } = settings;
  if (settings.authStrategy === 'noauth2') return { kind: 'noauth2', cinderEndpoint: given(cinderEndpoint) };
  const endpoints = { interfaces: settings.keystoneInterfaces, region: settings.keystoneRegion ?? null };
  return {
    kind: 'keystone',
    keystone: { authUrl: given(settings.keystoneAuthUrl), credentials: credentialsOf(settings), endpoints },
    cinderEndpoint: cinderEndpoint ?? null,
  };
}

function given(text: string | undefined): string {
  if (text === undefined) throw new Error('a setting that is needed was not checked');
  return text;
}

function credentialsOf(settings: Readonly<IdentitySettings>): KeystoneAccess['credentials'] {
  if (withApplicationCredential(settings)) {
    const { applicationCredentialId: id, applicationCredentialSecret: secret } = settings;
    return { kind: 'application-credential', id: given(id), secret: given(secret) };
  }
  return {
    kind: 'password',
    username: given(settings.keystoneUsername),
    userDomain: settings.keystoneUserDomain,
    password: given(settings.keystonePassword),
    project: settings.keystoneProject,
    projectDomain: settings.keystoneProjectDomain,
  };
}
