import { describe, expect, it } from '@jest/globals';
import { IsIn, IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import { ConfigError, Env, EnvGroup, readConfig } from './config.js';

class SampleConfig {
  @Env('NOVELLA_SAMPLE_PORT')
  @IsInt()
  @Min(1)
  @Max(65535)
  readonly port: number = 8774;

  @Env('NOVELLA_SAMPLE_PASSWORD', { secret: true })
  @IsString()
  readonly password!: string;

  @Env('NOVELLA_SAMPLE_STRATEGY')
  @IsIn(['keystone', 'noauth2'])
  readonly strategy!: string;

  @Env('NOVELLA_SAMPLE_VERIFY')
  readonly verify: boolean = false;

  @Env('NOVELLA_SAMPLE_ROOTS', { type: 'list' })
  @IsString({ each: true })
  readonly roots: readonly string[] = ['/var/lib/novella/volumes'];

  @Env('NOVELLA_SAMPLE_NOTE')
  @IsOptional()
  @IsString()
  readonly note?: string;
}

const good = { NOVELLA_SAMPLE_PASSWORD: 'hunter2', NOVELLA_SAMPLE_STRATEGY: 'keystone' };

function faultsOf(env: Record<string, string>): ConfigError {
  try {
    readConfig(SampleConfig, env);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

describe('readConfig', () => {
  it('takes defaults for what is not set and parses what is, by type', () => {
    expect(readConfig(SampleConfig, good)).toMatchObject({ port: 8774, verify: false, strategy: 'keystone' });
    const config = readConfig(SampleConfig, {
      ...good,
      NOVELLA_SAMPLE_PORT: '9000',
      NOVELLA_SAMPLE_VERIFY: 'true',
      NOVELLA_SAMPLE_ROOTS: '/a, /dev/loop*',
    });
    expect(config).toMatchObject({ port: 9000, verify: true, roots: ['/a', '/dev/loop*'] });
  });

  it('answers an object that cannot be changed', () => {
    const config = readConfig(SampleConfig, good);
    expect(() => Object.assign(config, { port: 1 })).toThrow(TypeError);
    expect(Object.isFrozen(config.roots)).toBe(true);
  });

  it('reports all faults in one error, each with its key and the value as given', () => {
    const { faults } = faultsOf({
      NOVELLA_SAMPLE_PORT: '70000',
      NOVELLA_SAMPLE_VERIFY: 'yes',
      NOVELLA_SAMPLE_STRATEGY: 'none',
      NOVELLA_SAMPLE_ROOTS: '/a,,/b',
    });
    expect(faults.map(({ key, given }) => [key, given])).toEqual([
      ['NOVELLA_SAMPLE_PASSWORD', null],
      ['NOVELLA_SAMPLE_PORT', '70000'],
      ['NOVELLA_SAMPLE_ROOTS', '/a,,/b'],
      ['NOVELLA_SAMPLE_STRATEGY', 'none'],
      ['NOVELLA_SAMPLE_VERIFY', 'yes'],
    ]);
  });

  it('reports a number that cannot be read once, not also as out of range', () => {
    const { faults } = faultsOf({ ...good, NOVELLA_SAMPLE_PORT: '0x50' });
    expect(faults).toHaveLength(1);
  });

  it('never shows the value of a secret', () => {
    class SecretConfig {
      @Env('NOVELLA_SAMPLE_KEY', { secret: true })
      @IsIn(['one', 'two'])
      readonly key!: string;
    }
    expect(() => readConfig(SecretConfig, { NOVELLA_SAMPLE_KEY: 'hunter2' })).toThrow(ConfigError);
    expect(() => readConfig(SecretConfig, { NOVELLA_SAMPLE_KEY: 'hunter2' })).not.toThrow(/hunter2/);
  });

  it('takes an empty variable as one that is not set', () => {
    expect(faultsOf({ ...good, NOVELLA_SAMPLE_STRATEGY: '' }).faults).toMatchObject([
      { key: 'NOVELLA_SAMPLE_STRATEGY', given: null },
    ]);
  });
});

describe('a group of settings', () => {
  class Limits {
    @Env('NOVELLA_SAMPLE_BODY')
    @IsInt()
    @Min(1)
    readonly body: number = 100;
  }
  class Grouped {
    @Env('NOVELLA_SAMPLE_NAME')
    @IsString()
    readonly name!: string;

    @EnvGroup()
    readonly limits: Limits = new Limits();
  }

  it('is read into its property, and cannot be changed', () => {
    expect(readConfig(Grouped, { NOVELLA_SAMPLE_NAME: 'a' }).limits.body).toBe(100);
    const { limits } = readConfig(Grouped, { NOVELLA_SAMPLE_NAME: 'a', NOVELLA_SAMPLE_BODY: '7' });
    expect(limits.body).toBe(7);
    expect(Object.isFrozen(limits)).toBe(true);
  });

  it('has its faults among the others', () => {
    const read = () => readConfig(Grouped, { NOVELLA_SAMPLE_BODY: '0' });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(/NOVELLA_SAMPLE_BODY=0.*\n.*NOVELLA_SAMPLE_NAME/);
  });
});
