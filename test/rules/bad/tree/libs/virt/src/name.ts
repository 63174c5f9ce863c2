export const name = 'libs/virt';
