export { name } from '../../../../apps/compute/src/name.js';
