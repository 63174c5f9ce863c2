export { name } from '@novella/libvirt';
