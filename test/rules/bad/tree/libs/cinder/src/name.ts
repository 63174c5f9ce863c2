export const name = 'libs/cinder';
