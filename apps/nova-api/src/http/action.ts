import { ApiFault } from './fault.js';

/** The one key of the body of POST .../action. Mirrors nova:nova/api/openstack/wsgi.py action_peek. */
export function actionOf(body: unknown): string {
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  const [name, ...others] = isObject ? Object.keys(body) : [];
  if (name === undefined || others.length > 0) throw new ApiFault(400, 'Malformed request body');
  return name;
}

export const noSuchAction = (action: string): ApiFault =>
  new ApiFault(400, `There is no such action: ${action.slice(0, 255)}`);
