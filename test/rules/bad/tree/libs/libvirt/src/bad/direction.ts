export { name } from '@novella/virt';
