export {
  ATTACHMENT,
  CONNECTION,
  facts,
  flavor,
  HOST,
  instance,
  MAPPING,
  mapping,
  newInstance,
  OPERATION,
  operation,
  PUBLIC_KEY,
  SERVER,
  service,
  VOLUME,
} from './records.js';
export { type CuttingProxy, cuttingProxy, type ProxyMode } from './cutting-proxy.js';
export { freePort } from './free-port.js';
export { GuestConsole, type SeenDisk } from './guest-console.js';
export { type GuestImages, guestImages } from './guest-image.js';
export {
  type AccessRule,
  type ApplicationCredential,
  KeystoneCloud,
  type KeystoneDomain,
  type KeystoneProject,
  type KeystoneScope,
  type KeystoneUser,
  type TokenScope,
} from './keystone-cloud.js';
export { type PrivateCeph, type PrivateCephOptions, startPrivateCeph } from './private-ceph.js';
export { type NewImage, PrivateGlance, type PrivateGlanceOptions } from './private-glance.js';
export { PrivateKeystone, type PrivateKeystoneOptions } from './private-keystone.js';
export { type PrivateLibvirtd, type PrivateLibvirtdOptions, startPrivateLibvirtd } from './private-libvirtd.js';
export { type PrivateRabbit, type PrivateRabbitOptions, startPrivateRabbit } from './private-rabbit.js';
export {
  type PrivateRabbitCluster,
  type PrivateRabbitClusterOptions,
  type PrivateRabbitNode,
  startPrivateRabbitCluster,
} from './private-rabbit-cluster.js';
export { type RabbitVersion } from './private-rabbit-installation.js';
export {
  answer,
  answerAndHangUp,
  cutBody,
  fault,
  hangUp,
  headersThenSilence,
  notHttp,
  type PeerRequest,
  resetAfterHeaders,
  type ScriptedPeer,
  silence,
  startScriptedPeer,
  type Step,
  trickle,
} from './scripted-peer.js';
export { seededRandom } from './seeded-random.js';
export { temporaryDirectory, type TemporaryDirectory } from './temporary-directory.js';
export { promisesHaveRun, type VirtualClock, virtualClock, type VirtualClockOptions } from './virtual-clock.js';
export { type WaitOptions, waitUntil } from './wait-until.js';
