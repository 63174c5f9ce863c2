import { formatMicroversion, MAX_MICROVERSION, MIN_MICROVERSION } from '../../apps/nova-api/src/http/microversion.js';

/** What the description says of every request alike. */
const least = formatMicroversion(MIN_MICROVERSION);
const most = formatMicroversion(MAX_MICROVERSION);

export const FRAME = {
  openapi: '3.1.0',
  info: {
    title: 'Compute API',
    version: most,
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    description: [
      `OpenStack's Compute API, microversions ${least} to ${most}, as far as it is served here.`,
      'Each path under /v2.1 is also served as /v2.1/{project_id}/..., with the project of the token, and under /v2, where',
      'there are no microversions and unknown keys of a body are dropped.',
      'A path without a version that is not in this document is answered 300 with the versions to choose from.',
      'x-openstack has the microversions (min-ver, max-ver) from and to which something is there, the rules that guard an',
      'operation (policies), and what tells one of several schemas (discriminator). HEAD is answered as GET without a body.',
    ].join(' '),
  },
  servers: [{ url: '/' }],
  security: [{ token: [] }],
} as const;

export const FAULT = {
  description: 'One key that names the kind of fault.',
  type: 'object',
  minProperties: 1,
  maxProperties: 1,
  additionalProperties: {
    type: 'object',
    properties: { code: { type: 'integer' }, message: { type: 'string' } },
    required: ['code', 'message'],
  },
} as const;

const FAULT_TEXT = {
  400: 'badRequest: the request is not as its schema wants, or asks for what cannot be',
  401: 'unauthorized: there is no valid token',
  403: 'forbidden: a rule does not allow it',
  404: 'itemNotFound: there is none, or not at this microversion; plain text or HTML where there is no such route at all',
  406: 'computeFault: the microversion is not served',
  409: 'conflictingRequest: not in the present state',
  413: 'the body is too large; plain text or HTML',
  415: 'badMediaType: the body is not JSON',
  501: 'notImplemented: a part of it that is not served',
  503: 'serviceUnavailable: something that is needed is away',
} as const;

/** What any request to a resource may get. */
export const FAULT_CODES = Object.keys(FAULT_TEXT).map(Number);

export const FAULTS = Object.fromEntries(
  FAULT_CODES.map((code) => [String(code), { $ref: `#/components/responses/${code}` }]),
);

export const COMPONENTS = {
  securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } },
  parameters: {
    microversion: {
      name: 'OpenStack-API-Version',
      in: 'header',
      description: `compute X.Y, from ${least} to ${most}, or compute latest; without it ${least} is meant`,
      schema: { type: 'string', examples: [`compute ${most}`] },
    },
  },
  responses: Object.fromEntries(
    Object.entries(FAULT_TEXT).map(([code, description]) => [
      code,
      { description, content: { 'application/json': { schema: { $ref: '#/components/schemas/Fault' } } } },
    ]),
  ),
} as const;

export const STATUS_TEXT: Readonly<Record<number, string>> = {
  200: 'Done, or shown.',
  202: 'Accepted: it will be done.',
  204: 'Done; there is no body.',
  503: 'Something that is needed is away.',
  207: 'Some of it was done: each item says by its own code.',
};
