import { isHostName } from '@novella/core';
import { Env, EnvGroup, IsHexKey, IsNoauthWithoutKeystone, type LogLevel } from '@novella/service-kit';
import {
  ArrayNotEmpty,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  IsUrl,
  Matches,
  Max,
  Min,
  Validate,
  ValidateIf,
  type ValidationArguments,
  ValidatorConstraint,
  type ValidatorConstraintInterface,
} from 'class-validator';
import { hostname } from 'node:os';
import { HttpSettings } from '../../nova-api/src/http-settings.js';

const ABSOLUTE = { message: 'must be an absolute path' };
const LOOPBACK = /^(127(\.\d{1,3}){3}|::1|localhost)$/;

@ValidatorConstraint({ name: 'hostName' })
class HostNameRule implements ValidatorConstraintInterface {
  validate = (value: unknown): boolean => typeof value === 'string' && isHostName(value);
  defaultMessage = (): string => 'must be a host name: letters, digits, dots, dashes, at most 63';
}

@ValidatorConstraint({ name: 'noauthListen' })
class NoauthListenRule implements ValidatorConstraintInterface {
  validate(value: unknown, { object }: ValidationArguments): boolean {
    const { noauthAnywhere } = object as StandaloneConfig;
    return typeof value === 'string' && (noauthAnywhere || LOOPBACK.test(value));
  }
  defaultMessage = (): string =>
    'noauth2 believes every token, so it listens on loopback only; NOVELLA_NOAUTH_ANYWHERE=true lifts that';
}

/** The settings of the standalone process, by environment variable. docs/operators.md explains each. */
export class StandaloneConfig {
  @EnvGroup()
  readonly http: HttpSettings = new HttpSettings();

  /** Postgres' files, the host's journal, instances' disks and consoles. */
  @Env('NOVELLA_STATE_DIR')
  @Matches(/^\//, ABSOLUTE)
  readonly stateDir: string = '/var/lib/novella';

  @Env('NOVELLA_API_LISTEN')
  @Validate(NoauthListenRule)
  readonly listen: string = '127.0.0.1';

  /** 0 takes a free port. */
  @Env('NOVELLA_API_PORT')
  @IsInt()
  @Min(0)
  @Max(65535)
  readonly port: number = 8774;

  /** There is no default: noauth2 believes every token. */
  @Env('NOVELLA_AUTH_STRATEGY')
  @IsIn(['noauth2'])
  @IsNoauthWithoutKeystone('keystoneAuthUrl')
  readonly authStrategy!: 'noauth2';

  /** Only the services apart know Keystone. Who sets this expects it of this process too, and is told. */
  @Env('NOVELLA_KEYSTONE_AUTH_URL', { type: 'text' })
  @IsOptional()
  readonly keystoneAuthUrl?: string;

  @Env('NOVELLA_NOAUTH_ANYWHERE')
  @IsBoolean()
  readonly noauthAnywhere: boolean = false;

  /** Cinder's v3 API without a project: http://127.0.0.1:8776/v3 */
  @Env('NOVELLA_CINDER_ENDPOINT')
  @IsUrl({ require_tld: false, protocols: ['http', 'https'], require_protocol: true })
  readonly cinderEndpoint!: string;

  /** Glance's API without a version: http://127.0.0.1:9292. Without it images come from the directory. */
  @Env('NOVELLA_GLANCE_ENDPOINT')
  @IsOptional()
  @IsUrl({ require_tld: false, protocols: ['http', 'https'], require_protocol: true })
  readonly glanceEndpoint?: string;

  @Env('NOVELLA_IMAGES_DIR')
  @Matches(/^\//, ABSOLUTE)
  readonly imagesDir: string = '/var/lib/novella/images';

  /** Folders that volumes of type local may lie in; block devices need /dev. */
  @Env('NOVELLA_VOLUME_ROOTS')
  @IsArray()
  @ArrayNotEmpty()
  @Matches(/^\//, { ...ABSOLUTE, each: true })
  readonly volumeRoots: string[] = ['/var/lib/cinder'];

  @Env('NOVELLA_CEPH_DIR')
  @Matches(/^\//, ABSOLUTE)
  readonly cephDir: string = '/etc/ceph';

  @Env('NOVELLA_HOST')
  @Validate(HostNameRule)
  readonly host: string = hostname();

  @Env('NOVELLA_VIRT_DRIVER')
  @IsIn(['libvirt', 'fake'])
  readonly virtDriver: 'libvirt' | 'fake' = 'libvirt';

  @Env('NOVELLA_LIBVIRT_SOCKET')
  @Matches(/^\//, ABSOLUTE)
  @ValidateIf(({ virtDriver }: StandaloneConfig) => virtDriver === 'libvirt')
  readonly libvirtSocket: string = '/run/libvirt/libvirt-sock';

  /** `qemu` emulates the processor where there is no KVM. */
  @Env('NOVELLA_LIBVIRT_DOMAIN_TYPE')
  @IsIn(['kvm', 'qemu'])
  readonly domainType: 'kvm' | 'qemu' = 'kvm';

  /** A Postgres to use instead of the private one. */
  @Env('NOVELLA_DATABASE_URL', { type: 'text', secret: true })
  @IsOptional()
  @IsString()
  @Matches(/^postgres(ql)?:\/\//, { message: 'must be a postgres:// URL' })
  readonly databaseUrl?: string;

  /** castellan's fixed_key, for a Cinder that encrypts volumes with it: `[key_manager] fixed_key` there. */
  @Env('NOVELLA_FIXED_KEY', { secret: true })
  @IsOptional()
  @IsHexKey()
  readonly fixedKey?: string;

  @Env('NOVELLA_LOG_LEVEL')
  @IsIn(['debug', 'info', 'warn', 'error', 'silent'])
  readonly logLevel: LogLevel = 'info';
}
