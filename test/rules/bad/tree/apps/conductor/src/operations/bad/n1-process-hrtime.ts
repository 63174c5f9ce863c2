export const now = (): bigint => process.hrtime.bigint();
