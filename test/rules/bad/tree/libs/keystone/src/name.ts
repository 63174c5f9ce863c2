export const name = 'libs/keystone';
