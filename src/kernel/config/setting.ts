import { parseDuration } from './duration.ts';

/** How a setting's text becomes its value. Parsers throw a sentence that does not name the setting. */
export interface Setting<T> {
  readonly env: string;
  /** Older names of the environment variable that still work. */
  readonly formerEnv?: readonly string[];
  readonly flag: string;
  readonly parse: (text: string) => T;
  /** `undefined`: the setting may be absent. */
  readonly defaultText: string | undefined;
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

/** Text; absent without a default. */
export function optional(text: SettingText): Setting<string | undefined> {
  return { ...text, parse: (value) => value, defaultText: undefined };
}

export function string(text: SettingText, defaultText: string): Setting<string> {
  return { ...text, parse: (value) => value, defaultText };
}

/** A list, separated by commas or white space. */
export function list(text: SettingText): Setting<readonly string[]> {
  return { ...text, parse: (value) => value.split(/[\s,]+/).filter((item) => item !== ''), defaultText: '' };
}

export function integer(text: SettingText, defaultValue: number, min: number, max: number): Setting<number> {
  return { ...text, parse: (value) => bounded(value, Number(value), min, max, Number.isInteger), defaultText: String(defaultValue) };
}

export function decimal(text: SettingText, defaultValue: number, min: number, max: number): Setting<number> {
  return { ...text, parse: (value) => bounded(value, Number(value), min, max, Number.isFinite), defaultText: String(defaultValue) };
}

/** A duration, as milliseconds. */
export function duration(text: SettingText, defaultText: string): Setting<number> {
  return { ...text, parse: parseDuration, defaultText };
}

export function choice<const T extends string>(text: SettingText, values: readonly T[], defaultText: NoInfer<T>): Setting<T> {
  return {
    ...text,
    parse: (value) => {
      const found = values.find((known) => known === value);
      if (found === undefined) throw new Error(`"${value}" is not one of ${values.join(', ')}.`);
      return found;
    },
    defaultText,
  };
}

function bounded(text: string, value: number, min: number, max: number, isValid: (value: number) => boolean): number {
  if (text.trim() === '' || !isValid(value)) throw new Error(`"${text}" is not a number.`);
  if (value < min || value > max) throw new Error(`${text} is not between ${min} and ${max}.`);
  return value;
}
