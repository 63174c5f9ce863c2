import {
  Env,
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
import { ArrayNotEmpty, IsArray, IsBoolean, IsIn, IsInt, Max, Min } from 'class-validator';
import { HttpSettings } from './http-settings.js';

/** The settings of a nova-api process, by environment variable. docs/operators.md explains each. */
export class NovaApiAppConfig extends HttpSettings {
  @Env('NOVELLA_API_LISTEN')
  @IsListenAddress()
  @IsLoopbackUnless('noauthAnywhere')
  readonly listen: string = '127.0.0.1';

  @Env('NOVELLA_API_PORT')
  @IsTcpPort()
  readonly port: number = 8774;

  /** There is no default: noauth2 believes every token. */
  @Env('NOVELLA_AUTH_STRATEGY')
  @IsIn(['noauth2'])
  readonly authStrategy!: 'noauth2';

  @Env('NOVELLA_NOAUTH_ANYWHERE')
  @IsBoolean()
  readonly noauthAnywhere: boolean = false;

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

  /** Cinder's v3 API without a project: http://127.0.0.1:8776/v3 */
  @Env('NOVELLA_CINDER_ENDPOINT')
  @IsEndpoint()
  readonly cinderEndpoint!: string;

  @Env('NOVELLA_IMAGES_DIR')
  @IsAbsolutePath()
  readonly imagesDir: string = '/var/lib/novella/images';

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
