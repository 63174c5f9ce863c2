export const limit = (): AbortSignal => AbortSignal.timeout(1);
