import { HoldfastError } from '../errors/errors.ts';
import { type FileValue, readConfigFile } from './config-file.ts';
import { formatDuration } from './duration.ts';
import { type Environment, refuseUnknown, textIn } from './environment.ts';
import type { Setting } from './setting.ts';
import { type SettingKey, type Values, otherEnvironment, settings } from './settings.ts';

/** The settings of one server, and where each of them comes from. */
export interface Config {
  readonly values: Values;
  /** Such as `flag --port`, `environment HOLDFAST_PORT`, `file holdfast.toml: port`, `default`. */
  readonly origins: Readonly<Record<SettingKey, string>>;
}

export interface ConfigSources {
  /** By flag name without dashes (`data-dir`). */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Environment;
  /** A TOML file; keys are the flag names, with `_` or `-`. Without it the one that `HOLDFAST_CONFIG` names. */
  readonly file?: string | undefined;
}

/** One setting for people. */
export interface SettingRow {
  /** Its name in the environment. */
  readonly name: string;
  readonly type: Setting<unknown>['type'];
  /** As one would write it; empty when it is not set, `***` when it is secret. */
  readonly value: string;
  readonly origin: string;
  readonly description: string;
}

const keys = Object.keys(settings) as SettingKey[];

/**
 * Flags over environment over file over defaults. Throws `invalid` with one sentence that names the value and its origin
 * for a wrong value, an unknown key of the file, or an unknown `HOLDFAST_…` variable.
 */
export function loadConfig(sources: ConfigSources): Config {
  refuseUnknown(sources.env, [...keys.flatMap((key) => namesOf(settings[key])), ...otherEnvironment]);
  const file = sources.file ?? textIn(sources.env, 'HOLDFAST_CONFIG');
  const flags = keys.map((key) => settings[key].flag);
  const fromFile = file === undefined ? new Map<string, FileValue>() : readConfigFile(file, flags);
  const values: Record<string, unknown> = {};
  const origins: Record<string, string> = {};
  for (const key of keys) {
    const setting: Setting<unknown> = settings[key];
    const { text, origin } = find(setting, sources, fromFile, file);
    values[key] = text === undefined ? undefined : parsed(setting, text, origin);
    origins[key] = origin;
  }
  return { values: values as Values, origins: origins as Config['origins'] };
}

/** The settings for people, in the order of the table; secrets are not shown. */
export function describeConfig(config: Config): SettingRow[] {
  return keys.map((key) => {
    const setting: Setting<unknown> = settings[key];
    const shown = shownValue(setting, config.values[key]);
    return {
      name: setting.env,
      type: setting.type,
      value: setting.isSecret === true && shown !== '' ? '***' : shown,
      origin: config.origins[key],
      description: setting.description,
    };
  });
}

function find(
  setting: Setting<unknown>,
  { flags, env }: ConfigSources,
  fromFile: ReadonlyMap<string, FileValue>,
  file: string | undefined,
): { text: string | undefined; origin: string } {
  const flag = flags[setting.flag];
  if (flag !== undefined) return { text: flag, origin: `flag --${setting.flag}` };
  for (const name of namesOf(setting)) {
    const text = textIn(env, name);
    if (text !== undefined) return { text, origin: `environment ${name}` };
  }
  const value = fromFile.get(setting.flag);
  if (value !== undefined) return { text: value.text, origin: `file ${file}: ${value.key}` };
  return { text: setting.defaultText, origin: 'default' };
}

function parsed(setting: Setting<unknown>, text: string, origin: string): unknown {
  try {
    return setting.parse(text);
  } catch (error) {
    const isSecret = setting.isSecret === true;
    // A parser's sentence quotes what it refuses.
    const reason = isSecret ? 'the value is not acceptable.' : error instanceof Error ? error.message : String(error);
    const details = { field: setting.env, origin, ...(isSecret ? {} : { provided_value: text }) };
    throw new HoldfastError('invalid', `${setting.env} is wrong (from ${origin}): ${reason}`, details);
  }
}

function shownValue(setting: Setting<unknown>, value: Values[SettingKey]): string {
  if (value === undefined) return '';
  if (setting.type === 'duration' && typeof value === 'number') return formatDuration(value);
  return typeof value === 'object' ? value.join(',') : String(value);
}

function namesOf(setting: Setting<unknown>): string[] {
  return [setting.env, ...(setting.formerEnv ?? [])];
}
