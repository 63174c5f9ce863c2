export { name } from './name.js';
export type { Clock, Random } from './ports.js';
