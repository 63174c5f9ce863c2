export { name } from '@novella/messaging';
