export { name } from '../../../brick/src/name.js';
