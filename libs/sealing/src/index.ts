export { HostKey } from './host-key.js';
export { seal, type Secret } from './sealed-box.js';
