export const name = 'libs/contracts';
