export const name = 'libs/service-kit';
