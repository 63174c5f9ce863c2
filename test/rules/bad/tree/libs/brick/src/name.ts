export const name = 'libs/brick';
