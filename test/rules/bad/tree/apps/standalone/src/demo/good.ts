export { name } from '@novella/testing';
