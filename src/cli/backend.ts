import type { Command } from 'commander';
import { HoldfastError } from '../kernel/errors/errors.ts';
import type { BodyOf } from '../kernel/http/contract.ts';
import { objectBackendContract as contract } from '../objects/backends/contract.ts';
import { type BackendFlags, limitsOf, pairOption, pairs, secretsOf } from './backend-options.ts';
import { backendFacts, backendLines, probeLines, troubleLines } from './backend-output.ts';
import { purgeBackend } from './backend-purge.ts';
import { connect } from './connection.ts';
import { examples } from './examples.ts';
import { exitCodes } from './exit-codes.ts';
import { json } from './output.ts';

interface ChangeFlags extends BackendFlags {
  readonly unset?: readonly string[];
  readonly unsetSecret?: readonly string[];
  readonly force?: boolean;
}

interface RemoveFlags {
  readonly purge?: boolean;
  readonly yes?: boolean;
}

type ChangeBody = BodyOf<typeof contract.changeObjectBackend>;

const kindsHelp = `
Kinds and their settings:
  filesystem  --set path
  s3          --set endpoint bucket region prefix  --secret access_key_id secret_access_key
  webdav      --set url username  --secret password (or bearer_token)
  rclone      --set remote_type remote_path option_…  --secret option_…

Names come before --set, --secret and --label, which take all the words that follow them.`;

/** `holdfast backend …` */
export function registerBackendCommands(backend: Command): void {
  registerReading(backend);
  registerAdding(backend);
  registerChanging(backend);
  registerEnding(backend);
}

function registerReading(backend: Command): void {
  backend
    .command('list')
    .description('list the places where objects stand, and what is wrong with them')
    .addHelpText('after', examples('backend list'))
    .action(async (_options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.listObjectBackends);
      if (isJson) return output.line(json(reply));
      if (reply.items.length === 0) return output.line('There are no backends yet: holdfast backend add.');
      for (const line of [...backendLines(reply.items), ...troubleLines(reply.items)]) output.line(line);
    });
  backend
    .command('show <name>')
    .description('show one backend')
    .addHelpText('after', examples('backend show disk1'))
    .action(async (name: string, _options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.getObjectBackend, { params: { backend: name } });
      if (isJson) return output.line(json(reply));
      for (const line of backendFacts(reply)) output.line(line);
    });
  backend
    .command('test <name>')
    .description('write, read, list and delete a blob there; fails when that does')
    .addHelpText('after', examples('backend test disk1'))
    .action(async (name: string, _options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.testObjectBackend, { params: { backend: name }, body: {} });
      if (isJson) output.line(json(reply));
      else for (const line of probeLines(reply)) output.line(line);
      if (!reply.ok) process.exitCode = exitCodes.failed;
    });
}

function registerAdding(backend: Command): void {
  settable(backend.command('add <name> <kind>').description('add a place where objects can stand'))
    .option('--position <n>', 'order of filling')
    .addHelpText('after', kindsHelp)
    .addHelpText(
      'after',
      examples(
        'backend add disk1 filesystem --set path=/srv/disk1 --label place=home --quota 500GiB',
        'backend add away s3 --set endpoint=https://s3.example.org bucket=copies --secret access_key_id secret_access_key',
      ),
    )
    .action(async (name: string, kind: string, flags: BackendFlags, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const body = { name, kind, ...(await bodyOf(flags)) } as BodyOf<typeof contract.addObjectBackend>;
      const reply = await client.call(contract.addObjectBackend, { body });
      if (isJson) output.line(json(reply));
      else output.line(`Backend ${name} (${kind}) is added: ${reply.health.detail}`);
    });
}

function registerChanging(backend: Command): void {
  settable(backend.command('change <name>').description('change settings, labels or limits'))
    .option('--position <n>', 'order of filling')
    .option('--unset <key...>', 'take settings away')
    .option('--unset-secret <key...>', 'take secrets away')
    .option('--force', 'also when copies are not found with the new settings')
    .addHelpText('after', examples('backend change disk1 --quota 1TiB --label place=home shelf=2'))
    .action(async (name: string, flags: ChangeFlags, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const given = await bodyOf(flags);
      const wishes = {
        ...given,
        ...without('config', given.config, flags.unset),
        ...without('secrets', given.secrets, flags.unsetSecret),
      };
      if (Object.keys(wishes).every((key) => key === 'skip_test')) {
        throw new HoldfastError('invalid', 'There is nothing to change: give an option.');
      }
      const body = { ...wishes, ...(flags.force === true ? { force: true } : {}) } as ChangeBody;
      const reply = await client.call(contract.changeObjectBackend, { params: { backend: name }, body });
      if (isJson) output.line(json(reply));
      else output.line(`Backend ${name} is changed (version ${reply.version}).`);
    });
}

function registerEnding(backend: Command): void {
  backend
    .command('drain <name>')
    .description('let a place take nothing new, and move what stands there to others')
    .option('--cancel', 'let it take new objects again')
    .addHelpText('after', examples('backend drain disk1', 'backend drain disk1 --cancel'))
    .action(async (name: string, options: { cancel?: boolean }, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const params = { backend: name };
      const reply =
        options.cancel === true
          ? await client.call(contract.undrainObjectBackend, { params })
          : await client.call(contract.drainObjectBackend, { params, body: {} });
      if (isJson) output.line(json(reply));
      else output.line(`Backend ${name} is ${reply.state}.`);
    });
  backend
    .command('remove <name>')
    .description('forget a place where nothing stands any more, or one that is lost for good')
    .option('--purge', 'also with copies that stand there: what has no other copy is lost')
    .option('--yes', 'without asking')
    .addHelpText('after', examples('backend remove disk1', 'backend remove disk1 --purge'))
    .action(async (name: string, flags: RemoveFlags, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      if (flags.purge === true) await purgeBackend(client, name, flags.yes === true);
      else await client.call(contract.removeObjectBackend, { params: { backend: name }, query: {} });
      if (isJson) output.line(json({ name }));
      else output.line(flags.purge === true ? `Backend ${name} is being purged.` : `Backend ${name} is removed.`);
    });
}

function settable(command: Command): Command {
  return command
    .option('--set <key=value...>', 'settings of its kind', pairOption)
    .option('--secret <key=value...>', 'secrets; without a value from HOLDFAST_SECRET_<KEY> or a line of the input')
    .option('--label <key=value...>', 'for placement', pairOption)
    .option('--quota <size>', 'most bytes to stand there, or "none"')
    .option('--max-object-size <size>', 'largest object that goes there, or "none"')
    .option('--monthly-requests <n>', 'most requests a month, or "none"')
    .option('--monthly-ingress <size>', 'most bytes written a month, or "none"')
    .option('--monthly-egress <size>', 'most bytes read a month, or "none"')
    .option('--skip-test', 'without writing, reading and deleting a blob there first');
}

interface SettingsBody {
  readonly config?: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

async function bodyOf(flags: BackendFlags): Promise<SettingsBody> {
  const config = pairs('--set', flags.set);
  const secrets = await secretsOf(flags.secret, process.env, process.stdin);
  const labels = pairs('--label', flags.label);
  return {
    ...limitsOf(flags),
    ...(config === undefined ? {} : { config }),
    ...(secrets === undefined ? {} : { secrets }),
    ...(labels === undefined ? {} : { labels }),
  };
}

/** A field of the body in which some keys are taken away. */
function without(
  field: 'config' | 'secrets',
  given: Readonly<Record<string, string>> | undefined,
  gone: readonly string[] | undefined,
): Record<string, Record<string, string | null>> {
  if (gone === undefined) return {};
  return { [field]: { ...given, ...Object.fromEntries(gone.map((key) => [key, null])) } };
}
