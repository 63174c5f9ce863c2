export { name } from '@novella/persistence';
