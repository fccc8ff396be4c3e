import { Command, CommanderError, Option } from 'commander';
import { settings } from './kernel/config/settings.ts';
import { exitCodes } from './cli/exit-codes.ts';
import { version } from './version.ts';

/** The command line, and how to fill the groups of commands that are filled only when they are used. */
interface CommandLine {
  readonly program: Command;
  readonly groups: Readonly<Record<string, () => Promise<void>>>;
}

/** Each command's code is imported only when it is called. */
export function createCommandLine(wantsJson: boolean): CommandLine {
  const program = new Command('holdfast');
  program
    .description('A control plane for durable data: block volumes and objects behind one API.')
    .version(version)
    .option('--json', 'output for programs')
    .option('--url <url>', 'the server (HOLDFAST_URL)')
    .option('--token <token>', 'the token (HOLDFAST_TOKEN)')
    .option('--config <file>', 'a TOML file with settings (HOLDFAST_CONFIG)')
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError(!wantsJson)
    .exitOverride();
  if (wantsJson) program.configureOutput({ outputError: (text, write) => write(usageErrorAsJson(text)) });
  registerServerCommands(program);
  registerStoreCommands(program);
  const volume = program.command('volume').description('block volumes');
  const host = program.command('host').description('machines with an agent');
  const keeper = program.command('keeper').description('background reconcilers');
  const bucket = program.command('bucket').description('buckets of objects, and what they demand');
  const object = program.command('object').description('objects in buckets');
  const backend = program.command('backend').description('places where objects stand');
  const migration = program.command('migration').description('moves of everything from one backend to another');
  const quota = program.command('quota').description('limits of buckets and users');
  const usage = program.command('usage').description('what backends, buckets and users use');
  const key = program.command('key').description('access keys of S3 clients');
  const gateway = program.command('gateway').description('the object gateway as a whole');
  const notification = program.command('notification').description('who is told of events: webhooks and MQTT brokers');
  const encryption = program.command('encryption').description('keys of objects, and how what stands is encrypted');
  const csi = program.command('csi').description('the driver of Kubernetes (Container Storage Interface)');
  const operation = program.command('operation').description('durable operations');
  const groups = {
    volume: async () => (await import('./cli/volume.ts')).registerVolumeCommands(volume),
    keeper: async () => (await import('./cli/keeper.ts')).registerKeeperCommands(keeper),
    host: async () => (await import('./cli/host.ts')).registerHostCommands(host),
    bucket: async () => (await import('./cli/bucket.ts')).registerBucketCommands(bucket),
    object: async () => (await import('./cli/object/commands.ts')).registerObjectCommands(object),
    migration: async () => (await import('./cli/migration.ts')).registerMigrationCommands(migration),
    backend: async () => (await import('./cli/backend.ts')).registerBackendCommands(backend),
    quota: async () => (await import('./cli/quota.ts')).registerQuotaCommands(quota),
    usage: async () => (await import('./cli/usage.ts')).registerUsageCommand(usage),
    key: async () => (await import('./cli/key.ts')).registerKeyCommands(key),
    gateway: async () => (await import('./cli/gateway.ts')).registerGatewayCommands(gateway),
    notification: async () => (await import('./cli/notification.ts')).registerNotificationCommands(notification),
    encryption: async () => (await import('./cli/encryption.ts')).registerEncryptionCommands(encryption),
    csi: async () => (await import('./cli/csi.ts')).registerCsiCommand(csi),
    operation: async () => (await import('./cli/operation.ts')).registerOperationCommands(operation),
  };
  program
    .command('completion')
    .argument('<shell>', 'bash, zsh or fish')
    .description('print a completion script')
    .action(async (shell: string) => {
      const { completionScript } = await import('./cli/completion.ts');
      for (const fill of Object.values(groups)) await fill();
      process.stdout.write(completionScript(program, shell));
    });
  return { program, groups };
}

/** What programs read in place of the sentence, which is of the form `error: …`. */
function usageErrorAsJson(text: string): string {
  return `${JSON.stringify({ error: text.replace(/^error: /, '').trim(), code: 'INVALID_REQUEST' })}\n`;
}

function registerServerCommands(program: Command): void {
  const serve = withSettings(program.command('serve').description('run the server'));
  serve.action(async () => {
    const [{ serve: run }, { processOutput }] = await Promise.all([
      import('./cli/serve.ts'),
      import('./cli/output.ts'),
    ]);
    await run(await configOf(serve), processOutput());
  });
  const agent = program.command('agent').description("run the agent of this machine, for another machine's server");
  withSettings(agent, agentSettings);
  agent.action(async () => {
    const { agent: run } = await import('./cli/agent.ts');
    await run(await configOf(agent), agent.optsWithGlobals());
  });
  const demo = program
    .command('demo')
    .description('walk a volume through its life, on a running or a temporary server');
  demo.action(async () => {
    const [{ demo: run }, { processOutput }] = await Promise.all([import('./cli/demo.ts'), import('./cli/output.ts')]);
    await run(demo.optsWithGlobals(), processOutput());
  });
  const doctor = withSettings(program.command('doctor').description('check this machine and say what to install'));
  doctor.action(async () => {
    const [{ doctor: run }, { processOutput }] = await Promise.all([
      import('./cli/doctor.ts'),
      import('./cli/output.ts'),
    ]);
    const isWell = await run(await configOf(doctor), processOutput(), isJson(doctor));
    if (!isWell) process.exitCode = exitCodes.failed;
  });
  const config = withSettings(program.command('config').description('show every setting and where it comes from'));
  config.action(async () => {
    const { showConfig } = await import('./cli/config.ts');
    const { processOutput } = await import('./cli/output.ts');
    showConfig(await configOf(config), processOutput(), isJson(config));
  });
}

function registerStoreCommands(program: Command): void {
  const migrate = withSettings(program.command('migrate').description('change the schema of the store'));
  migrate
    .addArgument(migrate.createArgument('<action>', 'up, down or status').choices(['up', 'down', 'status']))
    .option('--steps <n>', 'how many migrations to take back', Number, 1)
    .action(async (action: 'up' | 'down' | 'status', { steps }: { steps: number }) => {
      const [{ migrate: run }, { processOutput }] = await Promise.all([
        import('./cli/migrate.ts'),
        import('./cli/output.ts'),
      ]);
      await run(await configOf(migrate), processOutput(), action, { steps, isJson: isJson(migrate) });
    });
  const token = program.command('token').description('API tokens');
  const load = () => Promise.all([import('./cli/token.ts'), import('./cli/output.ts')] as const);
  const create = withSettings(token.command('create <name>').description('make a token; its secret is shown once'));
  create.addOption(new Option('--role <role>').choices(['viewer', 'operator', 'admin']).default('operator'));
  create.action(async (name: string, { role }: { role: string }) => {
    const [{ tokenCreate }, { processOutput }] = await load();
    await tokenCreate(await configOf(create), processOutput(), name, role, isJson(create));
  });
  const list = withSettings(token.command('list').description('list tokens'));
  list.action(async () => {
    const [{ tokenList }, { processOutput }] = await load();
    await tokenList(await configOf(list), processOutput(), isJson(list));
  });
  const revoke = withSettings(token.command('revoke <token>').description('end a token, by name or id'));
  revoke.action(async (reference: string) => {
    const [{ tokenRevoke }, { processOutput }] = await load();
    await tokenRevoke(await configOf(revoke), processOutput(), reference);
  });
}

/** What an agent on a machine without a server is told. */
const agentSettings = [
  settings.nodeId,
  settings.exportAddress,
  settings.exportAdvertise,
  settings.exportPortFirst,
  settings.devicePollIntervalMs,
  settings.logLevel,
];

/** Adds a flag for each of these settings. */
function withSettings(
  command: Command,
  some: readonly (typeof settings)[keyof typeof settings][] = Object.values(settings),
): Command {
  const isHidden = command.name() !== 'serve' && command.name() !== 'agent';
  for (const { flag, description, env } of some) {
    command.addOption(new Option(`--${flag} <value>`, `${description} (${env})`).hideHelp(isHidden));
  }
  return command;
}

async function configOf(command: Command) {
  const { loadConfig } = await import('./kernel/config/config.ts');
  const options: Record<string, string | undefined> = command.optsWithGlobals();
  const flags: Record<string, string | undefined> = {};
  for (const { flag } of Object.values(settings)) {
    flags[flag] = options[flag.replaceAll(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase())];
  }
  return loadConfig({ flags, env: process.env, file: options['config'] });
}

function isJson(command: Command): boolean {
  return command.optsWithGlobals<{ json?: boolean }>().json ?? false;
}

export async function main(args: readonly string[]): Promise<void> {
  const { program, groups } = createCommandLine(args.includes('--json'));
  const { endWithOutput, outputWritten } = await import('./cli/output-end.ts');
  // What serves does not depend on who reads what it says.
  if (!['serve', 'agent', 'csi'].some((name) => args.includes(name))) endWithOutput(process.stdout);
  try {
    for (const [name, fill] of Object.entries(groups)) if (args.includes(name)) await fill();
    await program.parseAsync(args, { from: 'user' });
    await outputWritten(process.stdout);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
      return;
    }
    const { explain } = await import('./cli/failure.ts');
    const { message, exitCode, body } = explain(error);
    process.stderr.write(args.includes('--json') ? `${JSON.stringify(body)}\n` : `holdfast: ${message}\n`);
    process.exitCode = exitCode;
  }
}
