export const name = 'apps/compute';
