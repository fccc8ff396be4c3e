import { formatDuration, parseDuration } from './duration.ts';
import { parseSize } from './size.ts';

/** How a setting's text becomes its value. Parsers throw a sentence that does not name the setting. */
export interface Setting<T> {
  readonly type: 'string' | 'list' | 'integer' | 'decimal' | 'duration' | 'size' | 'enum';
  readonly env: string;
  /** Older names of the environment variable that still work. */
  readonly formerEnv?: readonly string[];
  readonly flag: string;
  readonly parse: (text: string) => T;
  /** `undefined`: the setting may be absent. */
  readonly defaultText: string | undefined;
  /** A secret is never shown, neither in a description nor in an error. */
  readonly isSecret?: boolean;
  readonly description: string;
}

export interface SettingText {
  readonly env: string;
  readonly flag: string;
  readonly description: string;
  readonly formerEnv?: readonly string[];
  readonly isSecret?: boolean;
}

/** A timer of Node.js that is set for 2 ** 31 ms or longer, which is some hours more than this, fires at once. */
const timerMaxMs = 24 * 86_400_000;
/** A hundred years: what is kept for longer is kept for good. */
const retentionMaxMs = 100 * 365 * 86_400_000;

/** Text; absent without a default. */
export function optional(text: SettingText): Setting<string | undefined> {
  return { ...text, type: 'string', parse: nonEmpty, defaultText: undefined };
}

export function string(text: SettingText, defaultText: string): Setting<string> {
  return { ...text, type: 'string', parse: nonEmpty, defaultText };
}

/** A list, separated by commas or white space. */
export function list(text: SettingText): Setting<readonly string[]> {
  return { ...text, type: 'list', parse: items, defaultText: '' };
}

export function integer(text: SettingText, defaultValue: number, min: number, max: number): Setting<number> {
  const parse = (value: string) => bounded(value, /^[+-]?\d+$/, 'a whole number', min, max);
  return { ...text, type: 'integer', parse, defaultText: String(defaultValue) };
}

export function decimal(text: SettingText, defaultValue: number, min: number, max: number): Setting<number> {
  const parse = (value: string) => bounded(value, /^[+-]?\d+(?:\.\d+)?$/, 'a number', min, max);
  return { ...text, type: 'decimal', parse, defaultText: String(defaultValue) };
}

/** A deadline, a period or a wait, as milliseconds: at least one, at most what a timer can hold. */
export function duration(text: SettingText, defaultText: string): Setting<number> {
  return durationWithin(text, defaultText, 1, timerMaxMs);
}

/** How long something is kept, as milliseconds; `0` is not at all. */
export function retention(text: SettingText, defaultText: string): Setting<number> {
  return durationWithin(text, defaultText, 0, retentionMaxMs);
}

/** A size such as `64MiB`, as bytes: at most what a number holds exactly. */
export function size(text: SettingText, defaultText: string): Setting<number> {
  const parse = (value: string) => {
    const bytes = parseSize(value);
    if (bytes <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(bytes);
    throw new Error(`"${value}" is too large.`);
  };
  return { ...text, type: 'size', parse, defaultText };
}

export function choice<const T extends string>(
  text: SettingText,
  values: readonly T[],
  defaultText: NoInfer<T>,
): Setting<T> {
  return {
    ...text,
    type: 'enum',
    parse: (value) => {
      const found = values.find((known) => known === value);
      if (found === undefined) throw new Error(`"${value}" is not one of ${values.join(', ')}.`);
      return found;
    },
    defaultText,
  };
}

function durationWithin(text: SettingText, defaultText: string, min: number, max: number): Setting<number> {
  const parse = (value: string) => {
    const ms = parseDuration(value);
    if (ms >= min && ms <= max) return ms;
    throw new Error(`"${value}" is not between ${formatDuration(min)} and ${formatDuration(max)}.`);
  };
  return { ...text, type: 'duration', parse, defaultText };
}

function items(text: string): string[] {
  return text.split(/[\s,]+/).filter((item) => item !== '');
}

function nonEmpty(text: string): string {
  if (text.trim() === '') throw new Error('it is empty.');
  return text;
}

function bounded(text: string, pattern: RegExp, kind: string, min: number, max: number): number {
  const value = Number(text);
  if (!pattern.test(text.trim())) throw new Error(`"${text}" is not ${kind}.`);
  if (value < min || value > max) throw new Error(`${text} is not between ${min} and ${max}.`);
  return value;
}
