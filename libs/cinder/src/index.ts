export type { AttachmentSummary, Volume } from './answers.js';
export {
  type Attachment,
  type CinderAuth,
  type CinderClient,
  type CinderOptions,
  type Connector,
  createCinderClient,
  noAuth,
  type VolumesQuery,
} from './client.js';
