import {
  Env,
  IdentitySettings,
  IsBrokerUrls,
  IsEndpoint,
  IsHexKey,
  IsHostName,
  IsListenAddress,
  IsLogLevel,
  IsPostgresUrl,
  IsSeconds,
  IsTcpPort,
  type LogLevel,
} from '@novella/service-kit';
import { ArrayNotEmpty, IsArray, IsBoolean, IsInt, IsOptional, Max, Min, MinLength, ValidateIf } from 'class-validator';
import { hostname } from 'node:os';

const mayHaveGlance = ({ glanceEndpoint, authStrategy }: ConductorConfig): boolean =>
  glanceEndpoint !== undefined || authStrategy === 'keystone';
/** Nobody is reached at "all addresses". */
const needsAUrl = (config: ConductorConfig): boolean =>
  config.imageServerUrl !== undefined ||
  (mayHaveGlance(config) && ['0.0.0.0', '::'].includes(config.imageServerListen));

/** The settings of a conductor process, by environment variable. docs/operators.md explains each. */
export class ConductorConfig extends IdentitySettings {
  /** Written into claims and shown by os-services: no two that run at the same time. */
  @Env('NOVELLA_CONDUCTOR_NAME')
  @IsHostName()
  readonly name: string = hostname();

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

  /** What hosts say is believed only from the host's own broker user, `compute-<host>`. */
  @Env('NOVELLA_VERIFY_SENDER')
  @IsBoolean()
  readonly verifySender: boolean = true;

  /** Glance's API without a version: http://127.0.0.1:9292; with Keystone, the catalog knows it. */
  @Env('NOVELLA_GLANCE_ENDPOINT')
  @IsOptional()
  @IsEndpoint()
  readonly glanceEndpoint?: string;

  /** Where it serves images to hosts, when there is a Glance or, with Keystone, may be one. */
  @Env('NOVELLA_IMAGE_SERVER_LISTEN')
  @IsListenAddress()
  readonly imageServerListen: string = '127.0.0.1';

  @Env('NOVELLA_IMAGE_SERVER_PORT')
  @IsTcpPort()
  readonly imageServerPort: number = 8793;

  /** How hosts reach that; the address and port above unless given. */
  @Env('NOVELLA_IMAGE_SERVER_URL')
  @ValidateIf(needsAUrl)
  @IsEndpoint()
  readonly imageServerUrl?: string;

  /** What links to images are signed with: the same on all conductors behind one URL, and of its own for each without. */
  @Env('NOVELLA_IMAGE_SERVER_KEY', { secret: true })
  @IsOptional()
  @MinLength(32)
  readonly imageServerKey?: string;

  /** A service that was silent for so long is down. */
  @Env('NOVELLA_SERVICE_DOWN_TIME_S')
  @IsSeconds(15, 3_600)
  readonly serviceDownTimeS: number = 60;

  @Env('NOVELLA_HEALTH_LISTEN')
  @IsListenAddress()
  readonly healthListen: string = '127.0.0.1';

  @Env('NOVELLA_HEALTH_PORT')
  @IsTcpPort()
  readonly healthPort: number = 8791;

  @Env('NOVELLA_SHUTDOWN_GRACE_S')
  @IsSeconds(0, 3_600)
  readonly shutdownGraceS: number = 30;

  /** castellan's fixed_key, for a Cinder that encrypts volumes with it: `[key_manager] fixed_key` there. */
  @Env('NOVELLA_FIXED_KEY', { secret: true })
  @IsOptional()
  @IsHexKey()
  readonly fixedKey?: string;

  @Env('NOVELLA_LOG_LEVEL')
  @IsLogLevel()
  readonly logLevel: LogLevel = 'info';
}
