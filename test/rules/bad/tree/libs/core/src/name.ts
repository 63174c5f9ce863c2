export const name = 'libs/core';
