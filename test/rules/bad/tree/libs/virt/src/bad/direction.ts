export { name } from '@novella/image';
