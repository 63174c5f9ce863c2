export { name } from '@novella/cinder';
