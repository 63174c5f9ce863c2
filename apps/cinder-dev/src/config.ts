import { Env, readConfig } from '@novella/service-kit';
import { IsBoolean, IsIn, IsInt, IsNotEmpty, IsOptional, IsString, IsUrl, Max, Min } from 'class-validator';

export class CinderDevConfig {
  @Env('CINDER_DEV_PORT') @IsInt() @Min(0) @Max(65535) readonly port: number = 8776;

  /** Everybody who reaches the port is an administrator. */
  @Env('CINDER_DEV_LISTEN') @IsString() @IsNotEmpty() readonly listen: string = '127.0.0.1';

  @Env('CINDER_DEV_DATA_DIR') @IsString() @IsNotEmpty() readonly dataDir!: string;

  @Env('CINDER_DEV_NOVA_ENDPOINT')
  @IsUrl({ require_tld: false, require_protocol: true, protocols: ['http', 'https'] })
  readonly novaEndpoint!: string;

  /** What it shows Nova as X-Auth-Token. */
  @Env('CINDER_DEV_NOVA_TOKEN', { secret: true }) @IsString() @IsNotEmpty() readonly novaToken: string =
    'cinder:service';

  @Env('CINDER_DEV_USE_LOOP') @IsBoolean() readonly useLoop: boolean = false;

  /** Images that volumes can be made of; none unless given. */
  @Env('CINDER_DEV_IMAGES_DIR', { type: 'text' })
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  readonly imagesDir?: string;

  @Env('CINDER_DEV_LOG_LEVEL')
  @IsIn(['debug', 'info', 'warn', 'error', 'silent'])
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent' = 'info';
}

/** Error: ConfigError with every fault at once. */
export const readCinderDevConfig = (env?: Readonly<Record<string, string | undefined>>): Readonly<CinderDevConfig> =>
  env === undefined ? readConfig(CinderDevConfig) : readConfig(CinderDevConfig, env);
