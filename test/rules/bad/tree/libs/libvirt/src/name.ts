export const name = 'libs/libvirt';
