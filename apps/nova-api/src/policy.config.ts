import { Env, IsAbsolutePath, IsSeconds } from '@novella/service-kit';
import { ArrayNotEmpty, IsArray, IsBoolean, IsIn, IsOptional } from 'class-validator';

/** The settings about who may do what, by environment variable. docs/operators.md explains each. */
export class PolicyConfig {
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
}
