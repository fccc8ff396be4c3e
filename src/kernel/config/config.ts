import { readFileSync } from 'node:fs';
import { parse as parseToml } from 'smol-toml';
import { HoldfastError } from '../errors/errors.ts';
import type { Setting } from './setting.ts';
import { type SettingKey, type Values, otherEnvironment, settings } from './settings.ts';

/** The settings of one server, and where each of them comes from. */
export interface Config {
  readonly values: Values;
  /** Such as `flag --port`, `environment HOLDFAST_PORT`, `file holdfast.toml`, `default`. */
  readonly origins: Readonly<Record<SettingKey, string>>;
}

export interface ConfigSources {
  /** By flag name without dashes. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A TOML file; keys are the flag names, with `_` or `-`. */
  readonly file?: string | undefined;
}

const keys = Object.keys(settings) as SettingKey[];
const prefix = 'HOLDFAST_';

/**
 * Flags over environment over file over defaults. Throws `invalid` with one sentence that names the value and its origin
 * for a wrong value, an unknown key of the file, or an unknown `HOLDFAST_…` variable.
 */
export function loadConfig(sources: ConfigSources): Config {
  refuseUnknownEnvironment(sources.env);
  const file = sources.file ?? sources.env['HOLDFAST_CONFIG'];
  const fromFile = file === undefined ? {} : readConfigFile(file);
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

/** The settings for people; secrets are not shown. */
export function describeConfig(config: Config): { name: string; value: string; origin: string; description: string }[] {
  return keys.map((key) => {
    const setting: Setting<unknown> = settings[key];
    const value: unknown = config.values[key];
    const shown = value === undefined || value === '' ? '' : Array.isArray(value) ? value.join(',') : String(value);
    return {
      name: setting.env,
      value: setting.isSecret === true && shown !== '' ? '***' : shown,
      origin: config.origins[key],
      description: setting.description,
    };
  });
}

function find(
  setting: Setting<unknown>,
  { flags, env }: ConfigSources,
  fromFile: Readonly<Record<string, string>>,
  file: string | undefined,
): { text: string | undefined; origin: string } {
  const flag = flags[setting.flag];
  if (flag !== undefined) return { text: flag, origin: `flag --${setting.flag}` };
  for (const name of [setting.env, ...(setting.formerEnv ?? [])]) {
    const text = env[name];
    // An empty variable is how compose files and shells say "not set".
    if (text !== undefined && text !== '') return { text, origin: `environment ${name}` };
  }
  const text = fromFile[setting.flag];
  if (text !== undefined) return { text, origin: `file ${file}` };
  return { text: setting.defaultText, origin: 'default' };
}

function parsed(setting: Setting<unknown>, text: string, origin: string): unknown {
  try {
    return setting.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const provided = setting.isSecret === true ? {} : { provided_value: text };
    throw new HoldfastError('invalid', `${setting.env} is wrong (from ${origin}): ${reason}`, { field: setting.env, ...provided });
  }
}

function readConfigFile(file: string): Record<string, string> {
  let table: Record<string, unknown>;
  try {
    table = parseToml(readFileSync(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new HoldfastError('invalid', `The configuration file ${file} cannot be read: ${reason}.`, {}, error);
  }
  const known = new Set<string>(keys.map((key) => settings[key].flag));
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(table)) {
    const flag = name.replaceAll('_', '-');
    if (!known.has(flag)) throw new HoldfastError('invalid', unknown(`key "${name}" in ${file}`, flag, [...known]), { field: name });
    texts[flag] = Array.isArray(value) ? value.join(',') : String(value);
  }
  return texts;
}

function refuseUnknownEnvironment(env: ConfigSources['env']): void {
  const known = [...keys.map((key) => settings[key].env as string), ...otherEnvironment];
  for (const name of Object.keys(env)) {
    if (!name.startsWith(prefix) || known.includes(name)) continue;
    throw new HoldfastError('invalid', unknown(`environment variable ${name}`, name, known), { field: name });
  }
}

function unknown(what: string, name: string, known: readonly string[]): string {
  const nearest = known.toSorted((a, b) => distance(a, name) - distance(b, name))[0]!;
  const hint = distance(nearest, name) <= 3 ? ` Did you mean ${nearest}?` : '';
  return `There is no setting for the ${what}.${hint}`;
}

/** Levenshtein's distance: how many letters to change. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
