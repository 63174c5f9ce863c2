/** nova:nova/utils.py sanitize_hostname: what a guest may be called by its server's name; empty when nothing is left. */
export const sanitizeHostname = (name: string): string =>
  name
    .replaceAll(/[^\u0000-\u00FF]/g, '')
    .slice(0, 63)
    .replaceAll(/[ _.]/g, '-')
    .replaceAll(/[^\p{L}\p{N}-]/gu, '')
    .toLowerCase()
    .replaceAll(/^[.-]+|[.-]+$/g, '');
