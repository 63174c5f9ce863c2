import 'reflect-metadata';
import { validateSync } from 'class-validator';

/**
 * Reads a process' configuration from its environment, once, into a frozen object. The shape is a class: each property
 * names its variable with `@Env`, its checks with class-validator's decorators and its default with an initialiser;
 * a property without a default is required unless it is marked `@IsOptional()`.
 *
 *   class ApiConfig {
 *     @Env('NOVELLA_API_PORT') @IsPort() readonly port: number = 8774;
 *     @Env('NOVELLA_DATABASE_URL', { secret: true }) @IsUrl(...) readonly databaseUrl!: string;
 *   }
 *
 * Settings that several programs have in common stand in a class of their own, which is a property with `@EnvGroup`.
 */
export function readConfig<T extends object>(ConfigClass: new () => T, env: Environment = process.env): Readonly<T> {
  const { config, faults } = read(ConfigClass, env);
  if (faults.length > 0) throw new ConfigError(faults.sort((a, b) => a.key.localeCompare(b.key)));
  return config;
}

function read<T extends object>(
  ConfigClass: new () => T,
  env: Environment,
): { config: Readonly<T>; faults: ConfigFault[] } {
  const config = new ConfigClass();
  const settings = settingsOf(ConfigClass);
  const faults: ConfigFault[] = [];

  for (const [property, setting] of settings) {
    const text = env[setting.key];
    if (text === undefined || text === '') continue;
    const value = parse(text, setting.type);
    if (value === null) faults.push({ key: setting.key, given: shown(text, setting), problem: PROBLEM[setting.type] });
    else Object.assign(config, { [property]: value });
  }

  const unreadable = new Set(faults.map((fault) => fault.key));
  for (const found of validateSync(config, { skipMissingProperties: false, forbidUnknownValues: false })) {
    const setting = settings.get(found.property);
    const key = setting?.key ?? found.property;
    if (unreadable.has(key)) continue;
    const text = setting === undefined ? undefined : env[setting.key];
    const missing = text === undefined || text === '';
    const problem = missing && found.value === undefined ? 'is required' : problems(found.constraints);
    faults.push({ key, given: missing ? null : shown(text, setting), problem });
  }
  for (const [property, Group] of groupsOf(ConfigClass)) {
    const group = read(Group, env);
    faults.push(...group.faults);
    Object.assign(config, { [property]: group.config });
  }
  for (const value of Object.values(config)) if (Array.isArray(value)) Object.freeze(value);
  return { config: Object.freeze(config), faults };
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ConfigFault {
  readonly key: string;
  /** As it stands in the environment; null when it is not set, `(secret)` when it must not be shown. */
  readonly given: string | null;
  readonly problem: string;
}

/** Everything that is wrong with the environment, in one error. */
export class ConfigError extends Error {
  constructor(readonly faults: readonly ConfigFault[]) {
    const lines = faults.map(({ key, given, problem }) =>
      given === null ? `  ${key} (not set): ${problem}` : `  ${key}=${given}: ${problem}`,
    );
    super(`the configuration has ${faults.length} fault(s):\n${lines.join('\n')}`);
    this.name = 'ConfigError';
  }
}

type SettingType = 'text' | 'number' | 'boolean' | 'list';
interface Setting {
  readonly key: string;
  readonly type: SettingType;
  readonly secret: boolean;
}

const SETTINGS = Symbol('novella:settings');
const PROBLEM = {
  text: 'is not text',
  number: 'is not a number',
  boolean: 'is not true or false',
  list: 'is not a list of words with commas between them',
} as const satisfies Record<SettingType, string>;

/** Names a property's variable. The type follows the property's (text, number, boolean, array) unless it is given. */
export function Env(key: string, options: { type?: SettingType; secret?: boolean } = {}): PropertyDecorator {
  return (prototype, property) => {
    const declared: unknown = Reflect.getMetadata('design:type', prototype, property);
    const type = options.type ?? typeFor(declared);
    const settings = new Map(settingsOf(prototype.constructor));
    settings.set(String(property), { key, type, secret: options.secret ?? false });
    Reflect.defineMetadata(SETTINGS, settings, prototype.constructor);
  };
}

function settingsOf(ConfigClass: object): Map<string, Setting> {
  const settings: unknown = Reflect.getMetadata(SETTINGS, ConfigClass);
  return settings instanceof Map ? (settings as Map<string, Setting>) : new Map<string, Setting>();
}

const GROUPS = Symbol('novella:setting groups');
type Groups = ReadonlyMap<string, new () => object>;

/** The property's class has settings too: they are read into an instance of it. */
export function EnvGroup(): PropertyDecorator {
  return (prototype, property) => {
    const Group = Reflect.getMetadata('design:type', prototype, property) as new () => object;
    const groups = new Map([...groupsOf(prototype.constructor), [String(property), Group]]);
    Reflect.defineMetadata(GROUPS, groups, prototype.constructor);
  };
}

const groupsOf = (ConfigClass: object): Groups =>
  (Reflect.getMetadata(GROUPS, ConfigClass) as Groups | undefined) ?? new Map<string, new () => object>();

function typeFor(declared: unknown): SettingType {
  if (declared === Number) return 'number';
  if (declared === Boolean) return 'boolean';
  return declared === Array ? 'list' : 'text';
}

function parse(text: string, type: SettingType): string | number | boolean | string[] | null {
  switch (type) {
    case 'text':
      return text;
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : null;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : null;
    case 'list': {
      const words = text.split(',').map((word) => word.trim());
      return words.includes('') ? null : words;
    }
  }
}

const shown = (text: string, setting: Setting | undefined): string =>
  setting === undefined || setting.secret ? '(secret)' : text;

const problems = (constraints: Record<string, string> | undefined): string =>
  Object.values(constraints ?? {}).join('; ') || 'is not valid';
