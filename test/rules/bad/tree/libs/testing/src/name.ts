export const name = 'libs/testing';
