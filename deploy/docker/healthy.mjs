// The health check of a container: exits 0 when the URL answers 200, else 1.
const response = await fetch(process.argv[2], { signal: AbortSignal.timeout(5_000) }).catch(() => null);
process.exit(response?.status === 200 ? 0 : 1);
