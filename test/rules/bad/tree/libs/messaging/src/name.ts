export const name = 'libs/messaging';
