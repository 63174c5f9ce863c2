import type { ErrorCode } from '@novella/core';

/**
 * Nova's fault bodies (nova:nova/api/openstack/wsgi.py Fault) and the only map from error codes to HTTP.
 */
export type FaultStatus = 400 | 401 | 403 | 404 | 406 | 408 | 409 | 413 | 415 | 422 | 431 | 500 | 501 | 503;

/** What a controller throws to answer with a fault; the message is for the caller and is sent as it is. */
export class ApiFault extends Error {
  constructor(
    readonly status: FaultStatus,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'ApiFault';
  }
}

const FAULT_KEY = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  406: 'computeFault',
  408: 'computeFault',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  422: 'computeFault',
  431: 'computeFault',
  500: 'computeFault',
  501: 'notImplemented',
  503: 'serviceUnavailable',
} as const satisfies Record<FaultStatus, string>;

export const faultBody = (status: FaultStatus, message: string): Record<string, { code: number; message: string }> => ({
  [FAULT_KEY[status]]: { code: status, message },
});

/** What an error that reaches the edge means for the caller. 500 and 503 are answered without the error's own words. */
export const HTTP_STATUS = {
  'host-device-missing': 500,
  'host-device-too-small': 500,
  'paths-down': 500,
  'path-outside-roots': 500,
  'connector-unsupported': 500,
  'connection-info-invalid': 500,
  'hypervisor-unreachable': 500,
  'hypervisor-refused': 500,
  'domain-not-found': 500,
  'domain-not-ours': 500,
  'guest-disk-missing': 500,
  'guest-size-not-reached': 500,
  'guest-busy': 500,
  'extend-unsupported': 500,
  'disk-cannot-grow': 500,
  'image-not-found': 400,
  'image-refused': 400,
  'image-not-active': 400,
  'image-download-failed': 500,
  'image-data-wrong': 500,
  'host-disk-full': 500,
  'flavor-too-small': 400,
  'no-valid-host': 500,
  'host-state-lost': 500,
  'host-name-taken': 500,
  'host-renamed': 500,
  'sender-refused': 500,
  'secret-unreadable': 500,
  'volume-key-missing': 500,
  'encryption-unsupported': 500,
  'key-manager-unsupported': 500,
  'volume-not-attached': 404,
  'volume-detached': 404,
  'volume-not-found': 404,
  'server-deleted': 404,
  'server-rebooted': 409,
  'server-has-no-host': 409,
  'event-unsupported': 400,
  'cinder-unreachable': 503,
  'cinder-refused': 400,
  'cinder-unauthorized': 403,
  'cinder-answer-invalid': 500,
  'keystone-unreachable': 503,
  'keystone-refused': 503,
  'keystone-answer-invalid': 503,
  'endpoint-not-found': 503,
  'image-service-unreachable': 503,
  'image-service-unauthorized': 403,
  'image-service-answer-invalid': 500,
  'broker-unreachable': 503,
  'broker-refused': 500,
  'rpc-timeout': 503,
  'rpc-no-route': 503,
  'rpc-message-invalid': 500,
  'rpc-remote-failure': 500,
  'database-unreachable': 503,
  'command-stale': 500,
  internal: 500,
} as const satisfies Record<ErrorCode, FaultStatus>;

export interface PlainAnswer {
  readonly contentType: string;
  readonly body: string;
}

const WEBOB = {
  404: { title: 'Not Found', text: 'The resource could not be found.' },
  413: { title: 'Request Entity Too Large', text: 'Request is too large.' },
  503: { title: 'Service Unavailable', text: 'The server is currently unavailable. Please try again at a later time.' },
} as const;

/** The form of answers that never reach Nova's own layer (WebOb's defaults): JSON is flat and its code is a string. */
export function webobAnswer(status: keyof typeof WEBOB, accept: string | undefined, detail = ''): PlainAnswer {
  const { title, text } = WEBOB[status];
  const wanted = accept ?? '';
  if (wanted.includes('html') || wanted.includes('*/*')) {
    const page = `<html>\n <head>\n  <title>${status} ${title}</title>\n </head>\n <body>\n  <h1>${status} ${title}</h1>\n  ${text}<br /><br />\n${detail}\n\n\n </body>\n</html>`;
    return { contentType: 'text/html; charset=UTF-8', body: page };
  }
  if (wanted.includes('json')) {
    const body = JSON.stringify({ message: `${text}<br /><br />\n${detail}\n\n`, code: `${status} ${title}`, title });
    return { contentType: 'application/json', body };
  }
  return { contentType: 'text/plain; charset=UTF-8', body: `${status} ${title}\n\n${text}\n\n ${detail}  ` };
}
