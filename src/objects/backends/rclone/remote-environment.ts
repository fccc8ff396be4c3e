import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { type Environment, runRclone } from './program.ts';
import type { RcloneSettings } from './settings.ts';

/** The name by which the child knows the remote. */
export const remoteName = 'holdfast';

interface Provider {
  readonly Name: string;
  readonly Options: readonly { readonly Name: string; readonly IsPassword: boolean }[];
}

/**
 * The remote as environment variables (rclone's `RCLONE_CONFIG_<remote>_<option>`): neither a file nor an argument ever
 * holds it. Options that this rclone takes for passwords are obscured as it wants them.
 *
 * @throws HoldfastError `backend` for a type or an option that this rclone does not know.
 */
export async function remoteEnvironment(
  binary: string,
  settings: RcloneSettings,
  environment: Environment,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const provider = await providerOf(binary, settings.remoteType, environment, signal);
  const prefix = `RCLONE_CONFIG_${remoteName.toUpperCase()}_`;
  const variables: Record<string, string> = { [`${prefix}TYPE`]: settings.remoteType };
  for (const [name, value] of Object.entries({ ...settings.options, ...settings.secretOptions })) {
    const option = provider.Options.find((each) => each.Name === name);
    if (option === undefined) {
      const sentence = `This rclone knows no option ${name} of remotes of type ${settings.remoteType}.`;
      throw new HoldfastError('backend', sentence, { field: `option_${name}` });
    }
    const isObscured = option.IsPassword && value !== '';
    variables[`${prefix}${name.toUpperCase()}`] = isObscured
      ? (await runRclone(binary, ['obscure', '-'], { environment, input: value, signal })).trim()
      : value;
  }
  return variables;
}

async function providerOf(
  binary: string,
  type: string,
  environment: Environment,
  signal: AbortSignal,
): Promise<Provider> {
  const providers = JSON.parse(await runRclone(binary, ['config', 'providers'], { environment, signal })) as Provider[];
  const provider = providers.find(({ Name }) => Name === type);
  if (provider !== undefined) return provider;
  throw new HoldfastError('backend', `This rclone knows no remotes of type ${type}.`, { field: 'remote_type' });
}
