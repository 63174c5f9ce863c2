export const name = 'apps/standalone';
