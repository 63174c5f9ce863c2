export { name } from '../../../compute/src/name.js';
