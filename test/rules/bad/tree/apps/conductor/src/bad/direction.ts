export { name } from '@novella/brick';
