export const name = 'libs/image';
