export { name } from '@novella/core';
