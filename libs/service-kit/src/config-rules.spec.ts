import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import {
  IsAbsolutePath,
  IsBrokerUrls,
  IsEndpoint,
  IsHostName,
  IsListenAddress,
  IsLoopbackUnless,
  IsPostgresUrl,
  IsSeconds,
  IsTcpPort,
} from './config-rules.js';
import { ConfigError, Env, readConfig } from './config.js';

class SampleConfig {
  @Env('PORT') @IsTcpPort() readonly port: number = 1;
  @Env('GRACE') @IsSeconds(0, 600) readonly grace: number = 1;
  @Env('PATH_OF') @IsAbsolutePath() readonly path: string = '/';
  @Env('HOST') @IsHostName() readonly host: string = 'host-1';
  @Env('LISTEN') @IsListenAddress() @IsLoopbackUnless('anywhere') readonly listen: string = '127.0.0.1';
  @Env('ANYWHERE') readonly anywhere: boolean = false;
  @Env('BROKERS', { secret: true }) @IsBrokerUrls() readonly brokers: string[] = ['amqp://broker'];
  @Env('DATABASE', { secret: true }) @IsPostgresUrl() readonly database: string = 'postgres:///nova';
  @Env('ENDPOINT') @IsEndpoint() readonly endpoint: string = 'http://cinder:8776/v3';
}

function faults(env: Readonly<Record<string, string>>): string[] {
  try {
    readConfig(SampleConfig, env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).not.toContain('hunter2');
    return error.faults.map(({ key }) => key);
  }
}

describe('the rules of settings', () => {
  it.each<[string, string]>([
    ['PORT', '0'],
    ['GRACE', '600'],
    ['PATH_OF', '/var/lib'],
    ['HOST', 'compute-1.example.org'],
    ['LISTEN', '::1'],
    ['BROKERS', 'amqp://nova:hunter2@10.0.0.1:5672/, amqps://nova:hunter2@10.0.0.2/nova'],
    ['DATABASE', 'postgresql://nova:hunter2@db/nova'],
    ['ENDPOINT', 'https://10.0.0.5/volume/v3'],
  ])('take %s=%s', (key, value) => {
    expect(faults({ [key]: value })).toEqual([]);
  });

  it.each<[string, string]>([
    ['PORT', '65536'],
    ['PORT', '1.5'],
    ['GRACE', '601'],
    ['PATH_OF', 'lib'],
    ['HOST', 'compute_1/..'],
    ['HOST', 'compute-1.lock'],
    ['LISTEN', '0.0.0.0'],
    ['LISTEN', '127.0.0.1:80/x'],
    ['BROKERS', 'amqp://10.0.0.1,http://nova:hunter2@10.0.0.2'],
    ['BROKERS', 'hunter2'],
    ['DATABASE', 'mysql://nova:hunter2@db/nova'],
    ['ENDPOINT', 'cinder:8776'],
  ])('refuse %s=%s', (key, value) => {
    expect(faults({ [key]: value })).toEqual([key]);
  });

  it('let a loopback rule be lifted by its property, and then still want an address', () => {
    expect(faults({ LISTEN: '0.0.0.0', ANYWHERE: 'true' })).toEqual([]);
    expect(faults({ LISTEN: 'every where', ANYWHERE: 'true' })).toEqual(['LISTEN']);
  });
});
