import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { ConfigError, type Environment, readConfig } from './config.js';
import { IdentitySettings, openStackAccess } from './identity-settings.js';

const access = (env: Environment) => openStackAccess(readConfig(IdentitySettings, env));
const faultsOf = (env: Environment): string[] => {
  try {
    readConfig(IdentitySettings, env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map(({ key }) => key);
  }
};

const CINDER = { NOVELLA_CINDER_ENDPOINT: 'http://127.0.0.1:8776/v3' };
const KEYSTONE = { NOVELLA_AUTH_STRATEGY: 'keystone', NOVELLA_KEYSTONE_AUTH_URL: 'http://127.0.0.1:5000/v3' };
const USER = { NOVELLA_KEYSTONE_USERNAME: 'nova', NOVELLA_KEYSTONE_PASSWORD: 'secret' };

describe('what the settings say of other services', () => {
  it('is where Cinder is, with noauth2', () => {
    expect(access({ NOVELLA_AUTH_STRATEGY: 'noauth2', ...CINDER })).toEqual({
      kind: 'noauth2',
      cinderEndpoint: 'http://127.0.0.1:8776/v3',
    });
  });

  it('is who we are, with Keystone, whose catalog says where Cinder is', () => {
    expect(access({ ...KEYSTONE, ...USER })).toEqual({
      kind: 'keystone',
      keystone: {
        authUrl: 'http://127.0.0.1:5000/v3',
        credentials: {
          kind: 'password',
          username: 'nova',
          userDomain: 'Default',
          password: 'secret',
          project: 'service',
          projectDomain: 'Default',
        },
        endpoints: { interfaces: ['internal', 'public'], region: null },
      },
      cinderEndpoint: null,
    });
  });

  it('may be an application credential, a region, and a Cinder that is given', () => {
    const given = {
      NOVELLA_KEYSTONE_APPLICATION_CREDENTIAL_ID: 'id-1',
      NOVELLA_KEYSTONE_APPLICATION_CREDENTIAL_SECRET: 'secret',
      NOVELLA_KEYSTONE_REGION: 'two',
      NOVELLA_KEYSTONE_INTERFACES: 'public',
    };
    expect(access({ ...KEYSTONE, ...CINDER, ...given })).toMatchObject({
      keystone: {
        credentials: { kind: 'application-credential', id: 'id-1', secret: 'secret' },
        endpoints: { interfaces: ['public'], region: 'two' },
      },
      cinderEndpoint: 'http://127.0.0.1:8776/v3',
    });
  });

  it('is never noauth2 beside the URL of a Keystone', () => {
    expect(faultsOf({ ...KEYSTONE, ...CINDER, NOVELLA_AUTH_STRATEGY: 'noauth2' })).toEqual(['NOVELLA_AUTH_STRATEGY']);
  });
});
