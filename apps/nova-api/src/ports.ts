import type { ClientOf, computeRpc, conductorRpc } from '@novella/contracts';
import type { HostName, Log, Random } from '@novella/core';
import type { ApiStore, EngineStore, FlavorStore, HostStore, KeyPairStore, ServerStore } from '@novella/persistence';
import type { AskRemote, NovaPolicy } from '@novella/policy';
import type { BrokerStanding } from '@novella/service-kit';
import type { Authenticator } from './http/authenticator.js';
import type { ImageApi } from './image-api.js';
import type { NovaApiConfig } from './nova-api.config.js';
import type { VolumeApi } from './volume-api.js';

/** What nova-api is composed from. */
export interface NovaApiPorts {
  readonly config: NovaApiConfig;
  readonly authenticator: Authenticator;
  readonly policy: NovaPolicy;
  /** For rules that another server decides. */
  readonly askPolicyServer: AskRemote;
  readonly store: NovaApiStore;
  readonly cinder: VolumeApi;
  readonly images: ImageApi;
  /** Tells a conductor that there is something to claim; may be lost, never waits. */
  readonly hint: () => void;
  /** Reads one host while the user waits. */
  readonly compute: (host: HostName) => Pick<ClientOf<typeof computeRpc>, 'console_output' | 'ping'>;
  readonly conductor: Pick<ClientOf<typeof conductorRpc>, 'remove_host'>;
  /** Told by the health as degraded; where there is none it is left out. */
  readonly broker?: BrokerStanding;
  readonly log: Log;
  readonly random: Random;
}
export type NovaApiStore = ApiStore &
  ServerStore &
  FlavorStore &
  KeyPairStore &
  Pick<EngineStore, 'wake'> &
  Pick<HostStore, 'services' | 'service' | 'updateService' | 'deleteService' | 'serversByHost'>;

/** Under this token Nest injects the ports; a constructor's type says which of them it uses. */
export const PORTS = Symbol('nova-api ports');
