export type { AttachmentSummary, Volume, VolumeEncryption } from './answers.js';
export {
  type Attachment,
  type CinderClient,
  type CinderOptions,
  type Connected,
  type Connector,
  createCinderClient,
  noAuth,
  type VolumesQuery,
} from './client.js';
export { type CinderAuth, type CinderCredentials } from './transport.js';
export { splitSecrets, type SplitConnectionInfo } from './split-secrets.js';
