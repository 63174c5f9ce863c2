import { type Log } from '@novella/core';
import { type ImageFiles } from '../backend/image-files.js';
import { type VolumeFiles } from '../backend/volume-files.js';
import { type NovaEvents } from '../nova/nova-events.js';
import { type Origin } from '../state/records.js';
import { type State } from '../state/state.js';
import { type BackgroundWork } from './background-work.js';

/** What the flows work with. */
export interface Parts {
  readonly state: State;
  readonly files: VolumeFiles;
  readonly images: ImageFiles;
  readonly nova: NovaEvents;
  readonly work: BackgroundWork;
  readonly log: Log;
}

/** Who asks. `minor`: 42 for microversion 3.42. */
export interface Caller extends Origin {
  readonly userId: string;
  readonly minor: number;
}
