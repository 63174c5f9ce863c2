import {
  Env,
  EnvGroup,
  IdentitySettings,
  IsAbsolutePath,
  IsBrokerUrls,
  IsEndpoint,
  IsListenAddress,
  IsLogLevel,
  IsLoopbackUnless,
  IsPostgresUrl,
  IsSeconds,
  IsTcpPort,
  type LogLevel,
} from '@novella/service-kit';
import { ArrayNotEmpty, IsArray, IsBoolean, IsIn, IsInt, IsOptional, Max, Min } from 'class-validator';
import { HttpSettings } from './http-settings.js';

/** The settings of a nova-api process, by environment variable. docs/operators.md explains each. */
export class NovaApiAppConfig extends IdentitySettings {
  @EnvGroup()
  readonly http: HttpSettings = new HttpSettings();

  @Env('NOVELLA_API_LISTEN')
  @IsListenAddress()
  @IsLoopbackUnless('noauthAnywhere')
  readonly listen: string = '127.0.0.1';

  @Env('NOVELLA_API_PORT')
  @IsTcpPort()
  readonly port: number = 8774;

  /** What clients call it by, where it is not what they are seen to call it by: `https://api.example/compute`. */
  @Env('NOVELLA_API_LINK_PREFIX')
  @IsOptional()
  @IsEndpoint()
  readonly linkPrefix?: string;

  /** Believe Forwarded and X-Forwarded-*: only where a proxy sets them, or anybody could. */
  @Env('NOVELLA_API_TRUST_FORWARDED')
  @IsBoolean()
  readonly trustForwarded: boolean = false;

  /** The largest page of a list. */
  @Env('NOVELLA_API_MAX_LIMIT')
  @IsInt()
  @Min(1)
  @Max(100_000)
  readonly maxLimit: number = 1_000;

  /** Whether a new server's answer has an `adminPass`. */
  @Env('NOVELLA_API_INSTANCE_PASSWORD')
  @IsBoolean()
  readonly instancePassword: boolean = true;

  @Env('NOVELLA_NOAUTH_ANYWHERE')
  @IsBoolean()
  readonly noauthAnywhere: boolean = false;

  /** Where it is not set, /etc/novella/policy.yaml is taken when it is there. */
  @Env('NOVELLA_POLICY_FILE')
  @IsOptional()
  @IsAbsolutePath()
  readonly policyFile?: string;

  /** Where they are not set, /etc/novella/policy.d is taken when it is there. */
  @Env('NOVELLA_POLICY_DIRS', { type: 'list' })
  @IsOptional()
  @IsArray()
  @ArrayNotEmpty()
  @IsAbsolutePath({ each: true })
  readonly policyDirs?: string[];

  /** False: what was allowed before Nova's new defaults stays allowed beside them. */
  @Env('NOVELLA_POLICY_NEW_DEFAULTS')
  @IsBoolean()
  readonly policyNewDefaults: boolean = true;

  /** How a policy server is asked. */
  @Env('NOVELLA_POLICY_SERVER_CONTENT_TYPE')
  @IsIn(['application/x-www-form-urlencoded', 'application/json'])
  readonly policyServerContentType: 'application/x-www-form-urlencoded' | 'application/json' =
    'application/x-www-form-urlencoded';

  /** How long a policy server may take. */
  @Env('NOVELLA_POLICY_SERVER_TIMEOUT_S')
  @IsSeconds(1, 600)
  readonly policyServerTimeoutS: number = 60;

  @Env('NOVELLA_DATABASE_URL', { secret: true })
  @IsPostgresUrl()
  readonly databaseUrl!: string;

  /** Connections to Postgres at most. */
  @Env('NOVELLA_DATABASE_POOL')
  @IsInt()
  @Min(2)
  @Max(200)
  readonly databasePool: number = 10;

  /** All members of the cluster, each with user and password. */
  @Env('NOVELLA_BROKER_URLS', { secret: true })
  @IsArray()
  @ArrayNotEmpty()
  @IsBrokerUrls()
  readonly brokerUrls!: string[];

  /** A connection to the broker that says nothing for two to three of these is dead. */
  @Env('NOVELLA_BROKER_HEARTBEAT_S')
  @IsSeconds(1, 600)
  readonly brokerHeartbeatS: number = 8;

  /** What a 401 tells as the place to get a token from; the auth URL unless given. */
  @Env('NOVELLA_WWW_AUTHENTICATE_URI', { type: 'text' })
  @IsOptional()
  @IsEndpoint()
  readonly wwwAuthenticateUri?: string;

  /** A token that was revoked is believed for so long; 0 asks Keystone at each request. */
  @Env('NOVELLA_TOKEN_CACHE_TIME_S')
  @IsSeconds(0, 3_600)
  readonly tokenCacheTimeS: number = 300;

  /** Whose bearer may pass on what users ask, also with tokens that have expired meanwhile. */
  @Env('NOVELLA_SERVICE_TOKEN_ROLES')
  @IsArray()
  @ArrayNotEmpty()
  readonly serviceTokenRoles: string[] = ['service'];

  /** Refuse an X-Service-Token without such a role. */
  @Env('NOVELLA_SERVICE_TOKEN_ROLES_REQUIRED')
  @IsBoolean()
  readonly serviceTokenRolesRequired: boolean = true;

  /** Glance's API without a version: http://127.0.0.1:9292; with Keystone, the catalog knows it. */
  @Env('NOVELLA_GLANCE_ENDPOINT')
  @IsOptional()
  @IsEndpoint()
  readonly glanceEndpoint?: string;

  /** Where it is set and no Glance is, the catalog's is not asked. */
  @Env('NOVELLA_IMAGES_DIR')
  @IsOptional()
  @IsAbsolutePath()
  readonly imagesDir?: string;

  /** A service that was silent for so long is down. */
  @Env('NOVELLA_SERVICE_DOWN_TIME_S')
  @IsSeconds(15, 3_600)
  readonly serviceDownTimeS: number = 60;

  @Env('NOVELLA_SHUTDOWN_GRACE_S')
  @IsSeconds(0, 3_600)
  readonly shutdownGraceS: number = 30;

  @Env('NOVELLA_LOG_LEVEL')
  @IsLogLevel()
  readonly logLevel: LogLevel = 'info';
}
