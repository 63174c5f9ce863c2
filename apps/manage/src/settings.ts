import { Env, IsAbsolutePath, IsBrokerUrls, IsPostgresUrl, IsSeconds } from '@novella/service-kit';
import { ArrayNotEmpty, IsArray, IsBoolean, IsOptional } from 'class-validator';

/** For commands that read or change the database. */
export class DatabaseSettings {
  @Env('NOVELLA_DATABASE_URL', { secret: true })
  @IsPostgresUrl()
  readonly databaseUrl!: string;

  /** As the conductors have it: who was silent for so long is shown as down. */
  @Env('NOVELLA_SERVICE_DOWN_TIME_S')
  @IsSeconds(15, 3_600)
  readonly serviceDownTimeS: number = 60;
}

/** For commands that ask a host. The broker's user must be one that may, as nova-api's is. */
export class BrokerSettings {
  @Env('NOVELLA_BROKER_URLS', { secret: true })
  @IsArray()
  @ArrayNotEmpty()
  @IsBrokerUrls()
  readonly brokerUrls!: string[];
}

/** For commands about the policy: as nova-api has it. */
export class PolicySettings {
  @Env('NOVELLA_POLICY_FILE')
  @IsOptional()
  @IsAbsolutePath()
  readonly policyFile?: string;

  @Env('NOVELLA_POLICY_DIRS', { type: 'list' })
  @IsOptional()
  @IsAbsolutePath({ each: true })
  readonly policyDirs?: string[];

  @Env('NOVELLA_POLICY_NEW_DEFAULTS')
  @IsBoolean()
  readonly policyNewDefaults: boolean = true;
}
