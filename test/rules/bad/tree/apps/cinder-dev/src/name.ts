export const name = 'apps/cinder-dev';
