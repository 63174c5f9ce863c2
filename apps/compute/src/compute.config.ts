import {
  Env,
  IsAbsolutePath,
  IsBrokerUrls,
  IsHostName,
  IsListenAddress,
  IsLogLevel,
  IsSeconds,
  IsTcpPort,
  type LogLevel,
} from '@novella/service-kit';
import {
  ArrayNotEmpty,
  IsArray,
  IsIn,
  IsInt,
  IsIP,
  IsOptional,
  Max,
  Min,
  Validate,
  ValidateIf,
  type ValidationArguments,
  ValidatorConstraint,
  type ValidatorConstraintInterface,
} from 'class-validator';
import { hostname } from 'node:os';

@ValidatorConstraint({ name: 'withFakeDriver' })
class WithFakeDriver implements ValidatorConstraintInterface {
  validate(_value: unknown, at?: ValidationArguments): boolean {
    return (at?.object as ComputeConfig | undefined)?.virtDriver !== 'libvirt';
  }

  defaultMessage(): string {
    return 'is only for NOVELLA_VIRT_DRIVER=fake';
  }
}

/**
 * The settings of a compute process, by environment variable. docs/operators.md explains each. A host knows the broker
 * and itself: there is nothing here of the database, of Keystone or of Cinder.
 */
export class ComputeConfig {
  /** The name the host registers under, for good: its state directory remembers it. */
  @Env('NOVELLA_HOST')
  @IsHostName()
  readonly host: string = hostname();

  /** What storage back ends are told of the host. */
  @Env('NOVELLA_HOST_IP')
  @IsIP()
  readonly hostIp: string = '127.0.0.1';

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

  /** The host's key and journal, instances' disks and consoles. */
  @Env('NOVELLA_STATE_DIR')
  @IsAbsolutePath()
  readonly stateDir: string = '/var/lib/novella';

  @Env('NOVELLA_IMAGES_DIR')
  @IsAbsolutePath()
  readonly imagesDir: string = '/var/lib/novella/images';

  /** What images that conductors serve may take of the host's disk while no build needs them. */
  @Env('NOVELLA_IMAGE_CACHE_GIB')
  @IsInt()
  @Min(0)
  @Max(1_000_000)
  readonly imageCacheGib: number = 20;

  /** Such an image goes when nobody has used it for so long; Nova's remove_unused_original_minimum_age_seconds. */
  @Env('NOVELLA_IMAGE_CACHE_UNUSED_S')
  @IsSeconds(0, 31_536_000)
  readonly imageCacheUnusedS: number = 86_400;

  /** Folders that volumes of type local may lie in; block devices need /dev. */
  @Env('NOVELLA_VOLUME_ROOTS')
  @IsArray()
  @ArrayNotEmpty()
  @IsAbsolutePath({ each: true })
  readonly volumeRoots: string[] = ['/var/lib/cinder'];

  /** Where the configuration and the keyrings of Ceph clusters are, for volumes of type rbd. */
  @Env('NOVELLA_CEPH_DIR')
  @IsAbsolutePath()
  readonly cephDir: string = '/etc/ceph';

  @Env('NOVELLA_VIRT_DRIVER')
  @IsIn(['libvirt', 'fake'])
  readonly virtDriver: 'libvirt' | 'fake' = 'libvirt';

  @Env('NOVELLA_LIBVIRT_SOCKET')
  @IsAbsolutePath()
  @ValidateIf(({ virtDriver }: ComputeConfig) => virtDriver === 'libvirt')
  readonly libvirtSocket: string = '/run/libvirt/libvirt-sock';

  /** Where a hypervisor in memory is served that outlives this process; without it the guests go with the process. */
  @Env('NOVELLA_FAKE_HYPERVISOR_SOCKET')
  @IsOptional()
  @IsAbsolutePath()
  @Validate(WithFakeDriver)
  readonly fakeHypervisorSocket?: string;

  /** `qemu` emulates the processor where there is no KVM. */
  @Env('NOVELLA_LIBVIRT_DOMAIN_TYPE')
  @IsIn(['kvm', 'qemu'])
  readonly domainType: 'kvm' | 'qemu' = 'kvm';

  /** How long a guest that is asked to shut down has until its power is cut; Nova's shutdown_timeout. */
  @Env('NOVELLA_SHUTDOWN_TIMEOUT_S')
  @IsSeconds(0, 100)
  readonly guestShutdownTimeoutS: number = 60;

  @Env('NOVELLA_HEALTH_LISTEN')
  @IsListenAddress()
  readonly healthListen: string = '127.0.0.1';

  @Env('NOVELLA_HEALTH_PORT')
  @IsTcpPort()
  readonly healthPort: number = 8792;

  @Env('NOVELLA_SHUTDOWN_GRACE_S')
  @IsSeconds(0, 3_600)
  readonly shutdownGraceS: number = 30;

  @Env('NOVELLA_LOG_LEVEL')
  @IsLogLevel()
  readonly logLevel: LogLevel = 'info';
}
