export const name = 'apps/conductor';
