import type { BackendSettings } from '../backend.ts';
import { numberOf, wrongSetting } from '../setting-fields.ts';

/** Settings of an `rclone` backend, read. */
export interface RcloneSettings {
  /** The type of the remote as rclone names it, such as `sftp`. */
  readonly remoteType: string;
  readonly remotePath: string;
  /** Options of the remote by rclone's own names. */
  readonly options: Readonly<Record<string, string>>;
  readonly secretOptions: Readonly<Record<string, string>>;
  readonly idleTimeoutMs: number;
  readonly connectionsMax: number;
}

const defaults = { remote_path: '', idle_timeout_ms: '60000', connections_max: '8' };
const configFields = new Set(['remote_type', ...Object.keys(defaults)]);
const optionShape = /^option_([a-z0-9_]{1,64})$/;
/**
 * Options that make rclone run a program on this machine: a backend is a place for bytes, and whoever may set one up shall
 * not get a shell with it. They hide in connection strings as well, which wrapping remotes take.
 */
const programOptions = ['ssh', 'bearer_token_command', 'password_command'];
const programInValue = new RegExp(`(^|[,:\\s])(${programOptions.join('|')})\\s*=`, 'i');

/** @throws HoldfastError `invalid` naming the field. */
export function validateRclone({ config, secrets }: BackendSettings): BackendSettings {
  for (const field of Object.keys(config)) {
    if (!configFields.has(field) && !optionShape.test(field))
      throw wrongSetting(field, 'An rclone backend does not know it.');
  }
  for (const field of Object.keys(secrets)) {
    if (!optionShape.test(field)) throw wrongSetting(field, 'Secrets are options of the remote: option_ and its name.');
    if (config[field] !== undefined) throw wrongSetting(field, 'It is given twice, openly and as a secret.');
  }
  for (const [field, value] of [...Object.entries(config), ...Object.entries(secrets)]) checkValue(field, value);
  const filled = { ...defaults, ...config };
  readRclone({ config: filled, secrets });
  return { config: filled, secrets };
}

/** Reads validated settings. */
export function readRclone({ config, secrets }: BackendSettings): RcloneSettings {
  const filled = { ...defaults, ...config };
  const remoteType = config['remote_type'] ?? '';
  if (!/^[a-z0-9][a-z0-9 ]{0,63}$/.test(remoteType))
    throw wrongSetting('remote_type', 'It must be a type such as s3 or sftp.');
  return {
    remoteType,
    remotePath: config['remote_path'] ?? '',
    options: optionsOf(config),
    secretOptions: optionsOf(secrets),
    idleTimeoutMs: numberOf(filled, 'idle_timeout_ms', 100, 3_600_000),
    connectionsMax: numberOf(filled, 'connections_max', 1, 256),
  };
}

function checkValue(field: string, value: string): void {
  const name = optionShape.exec(field)?.[1];
  if (name !== undefined && programOptions.includes(name))
    throw wrongSetting(field, 'Options that run programs are not taken.');
  if (programInValue.test(value)) throw wrongSetting(field, 'Options that run programs are not taken.');
  if (value.includes('\0')) throw wrongSetting(field, 'It has a character that cannot be given to a program.');
}

function optionsOf(fields: Readonly<Record<string, string>>): Record<string, string> {
  const options = Object.entries(fields).flatMap(([field, value]) => {
    const name = optionShape.exec(field)?.[1];
    return name === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(options);
}
