export const name = 'apps/nova-api';
