export { name } from '../../../core/src/name.js';
