export const isOne = (count: number | null): boolean => count == 1;
