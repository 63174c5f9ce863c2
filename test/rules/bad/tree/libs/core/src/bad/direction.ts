export { name } from '@novella/contracts';
