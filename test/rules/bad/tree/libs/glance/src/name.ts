export const name = 'libs/glance';
