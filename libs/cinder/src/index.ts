export type { AttachmentSummary, Volume } from './answers.js';
export {
  type Attachment,
  type CinderAuth,
  type CinderClient,
  type CinderOptions,
  type Connected,
  type Connector,
  createCinderClient,
  noAuth,
  type VolumesQuery,
} from './client.js';
export { splitSecrets, type SplitConnectionInfo } from './split-secrets.js';
