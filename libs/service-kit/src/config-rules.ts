import { isHostName } from '@novella/core';
import {
  IsIn,
  IsInt,
  IsUrl,
  Matches,
  Max,
  Min,
  registerDecorator,
  type ValidationArguments,
  type ValidationOptions,
} from 'class-validator';

/** The checks that several programs' settings share. Their messages never repeat the value. */

/** 0 takes a free port. */
export const IsTcpPort = (): PropertyDecorator => every(IsInt(), Min(0), Max(65_535));

export const IsSeconds = (least: number, most: number): PropertyDecorator => every(IsInt(), Min(least), Max(most));

export const IsAbsolutePath = (options: { each?: boolean } = {}): PropertyDecorator =>
  Matches(/^\//, { message: 'must be an absolute path', ...options });

export const IsHostName = (): PropertyDecorator =>
  rule('hostName', 'must be a host name: letters, digits, dots, dashes, at most 63', (value) => isHostName(value));

/** An address to listen on: an IP address or a name. */
export const IsListenAddress = (): PropertyDecorator =>
  Matches(/^[A-Za-z0-9.:_-]+$/, { message: 'must be an IP address or a host name' });

/** `amqp://user:password@host:5672/vhost`, each of them. */
export const IsBrokerUrls = (): PropertyDecorator =>
  rule('brokerUrl', 'must be amqp:// or amqps:// URLs with commas between them', isUrlOf(['amqp:', 'amqps:']), {
    each: true,
  });

export const IsPostgresUrl = (): PropertyDecorator =>
  Matches(/^postgres(ql)?:\/\//, { message: 'must be a postgres:// URL' });

/** The URL of a service, with or without a path. */
export const IsEndpoint = (): PropertyDecorator =>
  IsUrl({ require_tld: false, protocols: ['http', 'https'], require_protocol: true });

/** Bytes as hexadecimal digits, as castellan's fixed_key is written; 16 of them at least. */
export const IsHexKey = (): PropertyDecorator =>
  Matches(/^(?:[0-9a-f]{2}){16,128}$/i, { message: 'must be a key of 16 bytes or more, as hexadecimal digits' });

export const IsLogLevel = (): PropertyDecorator => IsIn(['debug', 'info', 'warn', 'error', 'silent']);

const LOOPBACK = /^(127(\.\d{1,3}){3}|::1|localhost)$/;

/** noauth2 believes every token: it listens on the loopback, unless the property `anywhere` is true. */
export const IsLoopbackUnless = (anywhere: string): PropertyDecorator =>
  rule(
    'loopback',
    'noauth2 believes every token, so it listens on loopback only; NOVELLA_NOAUTH_ANYWHERE=true lifts that',
    (value, config) => config['authStrategy'] === 'keystone' || config[anywhere] === true || LOOPBACK.test(value),
  );

/** noauth2 beside the URL of a Keystone is a mistake that would open the cloud to everybody. */
export const IsNoauthWithoutKeystone = (url: string): PropertyDecorator =>
  rule(
    'noauthWithoutKeystone',
    'noauth2 believes every token, so it does not go with NOVELLA_KEYSTONE_AUTH_URL',
    (value, config) => value !== 'noauth2' || config[url] === undefined,
  );

function every(...decorators: readonly PropertyDecorator[]): PropertyDecorator {
  return (prototype, property) => {
    for (const decorate of decorators) decorate(prototype, property);
  };
}

function rule(
  name: string,
  message: string,
  isRight: (value: string, config: Readonly<Record<string, unknown>>) => boolean,
  options: ValidationOptions = {},
): PropertyDecorator {
  return (prototype, property) =>
    registerDecorator({
      name,
      target: prototype.constructor,
      propertyName: String(property),
      options: { message, ...options },
      validator: {
        validate: (value: unknown, at?: ValidationArguments) =>
          typeof value === 'string' && isRight(value, at?.object as Readonly<Record<string, unknown>>),
      },
    });
}

const isUrlOf =
  (protocols: readonly string[]) =>
  (value: string): boolean => {
    const url = URL.parse(value);
    return url !== null && protocols.includes(url.protocol) && url.hostname !== '';
  };
