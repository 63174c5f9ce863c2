export const name = 'libs/persistence';
