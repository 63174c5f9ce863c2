/** Our calls to Cinder that are about one volume, by the names of CinderClient's methods. */
export type CinderCall =
  | 'getVolume'
  | 'deleteVolume'
  | 'beginDetaching'
  | 'rollDetaching'
  | 'completeExtend'
  | 'createAttachment'
  | 'findAttachments'
  | 'updateAttachment'
  | 'completeAttachment'
  | 'deleteAttachment';

export interface Named {
  readonly call: CinderCall;
  readonly volume: string;
  /** What a 404 has to name: the volume's id or the attachment's. */
  readonly subject: string;
}

const ID = '[0-9a-f-]{36}';
const VOLUME_ACTIONS: Readonly<Record<string, CinderCall>> = {
  'os-begin_detaching': 'beginDetaching',
  'os-roll_detaching': 'rollDetaching',
  'os-extend_volume_completion': 'completeExtend',
};

/** Which call a request to Cinder is; null for one that no rule can name. `volumeOf` knows attachments. */
export function namedCall(
  method: string,
  url: string,
  body: string,
  volumeOf: ReadonlyMap<string, string>,
): Named | null {
  const { pathname, searchParams } = new URL(url, 'http://cinder');
  const [, collection = '', id = '', action] =
    new RegExp(`^/v3/[^/]+/(volumes|attachments)(?:/(${ID}))?(?:/(action))?$`).exec(pathname) ?? [];
  const about = (call: CinderCall | undefined, volume: string | undefined): Named | null =>
    call === undefined || volume === undefined ? null : { call, volume, subject: id === '' ? volume : id };
  if (collection === 'volumes') {
    if (id === '') return null;
    if (action !== undefined) return about(VOLUME_ACTIONS[firstKey(body)], id);
    return about(method === 'DELETE' ? 'deleteVolume' : 'getVolume', id);
  }
  if (collection !== 'attachments') return null;
  if (id === '') {
    if (method === 'POST') return about('createAttachment', createdFor(body));
    return about('findAttachments', searchParams.get('volume_id') ?? undefined);
  }
  const volume = volumeOf.get(id);
  if (action !== undefined) return about('completeAttachment', volume);
  if (method === 'DELETE') return about('deleteAttachment', volume);
  return method === 'PUT' ? about('updateAttachment', volume) : null;
}

const firstKey = (body: string): string => Object.keys(JSON.parse(body) as object)[0] ?? '';

const createdFor = (body: string): string | undefined =>
  (JSON.parse(body) as { attachment?: { volume_uuid?: string } }).attachment?.volume_uuid;
