import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { BodyOf, ReplyOf } from '../kernel/http/contract.ts';
import { HoldfastError } from '../kernel/errors/errors.ts';
import { notificationContract as contract } from '../notifications/contract.ts';
import { pairOption, pairs } from './backend-options.ts';
import { confirm } from './confirm.ts';
import { connect } from './connection.ts';
import { examples } from './examples.ts';
import { exitCodes } from './exit-codes.ts';
import { coloured, json, table } from './output.ts';

type TargetReply = ReplyOf<typeof contract.getNotificationTarget>;
type ChangeBody = BodyOf<typeof contract.changeNotificationTarget>;

interface TargetFlags {
  readonly header?: readonly string[];
  readonly topic?: string;
  readonly username?: string;
  readonly caFile?: string;
  readonly source?: string;
  readonly timeout?: string;
  readonly parallel?: string;
}

const secretsHelp = `
What is secret comes from the environment: HOLDFAST_NOTIFICATION_SECRET (whsec_…; one is made for a webhook when it is not
there) and HOLDFAST_NOTIFICATION_PASSWORD.`;

/** `holdfast notification …` */
export function registerNotificationCommands(notification: Command): void {
  registerReading(notification);
  registerAdding(notification);
  registerEnding(notification);
  registerSubscriptions(notification);
  registerDeadLetters(notification);
}

function registerReading(notification: Command): void {
  notification
    .command('list')
    .description('list who is told of events, and what waits for them')
    .addHelpText('after', examples('notification list'))
    .action(async (_options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.listNotificationTargets);
      if (isJson) return output.line(json(reply));
      if (reply.items.length === 0) return output.line('There are no targets yet: holdfast notification add.');
      const rows = reply.items.map((one) => [
        one.name,
        one.kind,
        coloured(one.state),
        String(one.waiting),
        String(one.dead_letters),
        one.topic === null ? one.url : `${one.url} ${one.topic}`,
        one.reason ?? '',
      ]);
      for (const line of table(['NAME', 'KIND', 'STATE', 'WAITING', 'DEAD', 'WHERE', ''], rows)) output.line(line);
    });
  notification
    .command('show <name>')
    .description('show one target')
    .addHelpText('after', examples('notification show chat'))
    .action(async (name: string, _options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.getNotificationTarget, { params: { target: name } });
      if (isJson) return output.line(json(reply));
      for (const [fact, value] of factsOf(reply)) output.line(`${fact.padEnd(16)}${value}`);
    });
  notification
    .command('test <name>')
    .description('send a test message now; fails when it is not taken')
    .addHelpText('after', examples('notification test chat'))
    .action(async (name: string, _options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.testNotificationTarget, { params: { target: name }, body: {} });
      output.line(isJson ? json(reply) : reply.detail);
      if (!reply.ok) process.exitCode = exitCodes.failed;
    });
}

function factsOf(one: TargetReply): (readonly [string, string])[] {
  return [
    ['name', one.name],
    ['kind', one.kind],
    ['state', coloured(one.state) + (one.reason === null ? '' : ` (${one.reason})`)],
    ['url', one.url],
    ...(one.topic === null ? [] : [['topic', one.topic] as const]),
    ['extra headers', one.headers.join(', ') || 'none'],
    ['source', one.source],
    ['deadline', `${one.timeout_ms} ms`],
    ['at once', `${one.parallel}`],
    ['waiting', `${one.waiting}`],
    ['dead letters', `${one.dead_letters}`],
    ['dropped', `${one.dropped}`],
    ['since', one.created_at],
    ['changed', one.updated_at],
  ];
}

function registerAdding(notification: Command): void {
  settable(
    notification.command('add <name> <kind> <address>').description('add a target: a webhook, or an mqtt broker'),
  )
    .addHelpText('after', secretsHelp)
    .addHelpText(
      'after',
      examples(
        'notification add chat webhook https://chat.example.org/hook',
        'notification add home mqtt mqtts://broker.example.org:8883 --topic holdfast/events --username holdfast',
      ),
    )
    .action(async (name: string, kind: string, address: string, flags: TargetFlags, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const wish = { name, kind, ...(await wishOf(flags)), url: address };
      const body = wish as BodyOf<typeof contract.createNotificationTarget>;
      const reply = await client.call(contract.createNotificationTarget, { body });
      if (isJson) return output.line(json(reply));
      output.line(`Target ${name} (${kind}) is added.`);
      if (reply.secret === null) return;
      output.line(`Its messages are signed with this secret, which is shown only now:\n\n  ${reply.secret}\n`);
    });
  settable(notification.command('change <name>').description('change a target'))
    .option('--address <url>', 'where it is')
    .addHelpText('after', secretsHelp)
    .addHelpText('after', examples('notification change chat --address https://chat.example.org/other'))
    .action(async (name: string, flags: TargetFlags & { readonly address?: string }, command: Command) => {
      const { address } = flags;
      const url = address === undefined ? {} : { url: address };
      await change(name, { ...(await wishOf(flags)), ...url }, command, 'is changed');
    });
  for (const [verb, state, done] of [
    ['enable', 'active', 'is told of events again'],
    ['disable', 'disabled', 'is told nothing, and what waited for it is gone'],
  ] as const) {
    notification
      .command(`${verb} <name>`)
      .description(`${verb} a target`)
      .addHelpText('after', examples(`notification ${verb} chat`))
      .action((name: string, _options: unknown, command: Command) => change(name, { state }, command, done));
  }
}

async function change(name: string, body: ChangeBody, command: Command, done: string): Promise<void> {
  const { client, output, isJson } = connect(command.optsWithGlobals());
  const reply = await client.call(contract.changeNotificationTarget, { params: { target: name }, body });
  output.line(isJson ? json(reply) : `Target ${name} ${done}.`);
}

function settable(command: Command): Command {
  return command
    .option('--header <name=value...>', 'headers that a webhook is sent beside ours', pairOption)
    .option('--topic <topic>', 'the topic of a broker')
    .option('--username <name>', 'who a broker is told that we are')
    .option('--ca-file <file>', "certificates that a broker's must come from, as PEM")
    .option('--source <source>', 'what CloudEvents say they come from')
    .option('--timeout <ms>', 'deadline of one delivery')
    .option('--parallel <n>', 'deliveries at once');
}

async function wishOf(flags: TargetFlags, env: NodeJS.ProcessEnv = process.env): Promise<ChangeBody> {
  const headers = pairs('--header', flags.header);
  const { topic, username, caFile, source } = flags;
  const [secret, password] = [env['HOLDFAST_NOTIFICATION_SECRET'], env['HOLDFAST_NOTIFICATION_PASSWORD']];
  return {
    ...(headers === undefined ? {} : { headers }),
    ...(topic === undefined ? {} : { topic }),
    ...(username === undefined ? {} : { username }),
    ...(source === undefined ? {} : { source }),
    ...(secret ? { secret } : {}),
    ...(password ? { password } : {}),
    ...(caFile === undefined ? {} : { ca: await readFile(caFile, 'utf8') }),
    ...(flags.timeout === undefined ? {} : { timeout_ms: countOf('--timeout', flags.timeout) }),
    ...(flags.parallel === undefined ? {} : { parallel: countOf('--parallel', flags.parallel) }),
  };
}

function countOf(flag: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new HoldfastError('invalid', `${flag}: "${text.slice(0, 100)}" is not a whole number.`, { field: flag });
}

function registerEnding(notification: Command): void {
  notification
    .command('remove <name>')
    .description('remove a target with its subscriptions and all that waits for it')
    .option('--yes', 'do not ask')
    .addHelpText('after', examples('notification remove chat --yes'))
    .action(async (name: string, { yes = false }: { readonly yes?: boolean }, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      await confirm(`Remove the target ${name} and all that waits for it?`, yes);
      const reply = await client.call(contract.removeNotificationTarget, { params: { target: name } });
      output.line(isJson ? json(reply) : `Target ${name} is removed.`);
    });
}

function registerSubscriptions(notification: Command): void {
  notification
    .command('subscribe <name> <target> <types...>')
    .description('tell a target of events of these types; a * at the end of a type stands for all that begins so')
    .option('--resource <prefix...>', 'only of resources that begin so, such as volume: or object:photos/')
    .addHelpText(
      'after',
      examples(
        "notification subscribe trouble chat 'integrity.*' 'backend.circuit.*' capacity.warning",
        "notification subscribe photos home 'object.*' --resource object:photos/",
      ),
    )
    .action(
      async (
        name: string,
        target: string,
        types: string[],
        { resource }: { readonly resource?: string[] },
        command: Command,
      ) => {
        const { client, output, isJson } = connect(command.optsWithGlobals());
        const body = { name, target, types, ...(resource === undefined ? {} : { resources: resource }) };
        const reply = await client.call(contract.createNotificationSubscription, { body });
        output.line(isJson ? json(reply) : `${target} is told of ${types.join(', ')}.`);
      },
    );
  notification
    .command('subscriptions')
    .description('list who is told of what; what buckets tell is in the configuration of each bucket')
    .addHelpText('after', examples('notification subscriptions'))
    .action(async (_options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.listNotificationSubscriptions);
      if (isJson) return output.line(json(reply));
      const rows = reply.items.map(({ name, target, types, resources }) => [
        name,
        target,
        types.join(', '),
        resources.join(', ') || 'all',
      ]);
      for (const line of table(['NAME', 'TARGET', 'TYPES', 'RESOURCES'], rows)) output.line(line);
    });
  notification
    .command('unsubscribe <name>')
    .description('end a subscription')
    .addHelpText('after', examples('notification unsubscribe trouble'))
    .action(async (name: string, _options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const params = { subscription: name };
      const reply = await client.call(contract.removeNotificationSubscription, { params });
      output.line(isJson ? json(reply) : `The subscription ${name} is ended.`);
    });
}

function registerDeadLetters(notification: Command): void {
  notification
    .command('dead-letters [target]')
    .description('list what could not be delivered, and why')
    .option('--requeue', 'try them again (of one target)')
    .option('--drop', 'throw them away (of one target)')
    .addHelpText('after', examples('notification dead-letters', 'notification dead-letters chat --requeue'))
    .action(
      async (
        target: string | undefined,
        { requeue, drop }: { readonly requeue?: boolean; readonly drop?: boolean },
        command: Command,
      ) => {
        const { client, output, isJson } = connect(command.optsWithGlobals());
        if (requeue === true || drop === true) {
          if (target === undefined || (requeue === true && drop === true)) {
            throw new HoldfastError('invalid', 'Name one target, and either --requeue or --drop.', { field: 'target' });
          }
          const body = { target };
          const { requeued, dropped } = {
            requeued: 0,
            dropped: 0,
            ...(requeue === true
              ? await client.call(contract.requeueNotificationDeadLetters, { body })
              : await client.call(contract.dropNotificationDeadLetters, { body })),
          };
          return output.line(isJson ? json({ requeued, dropped }) : `${requeued + dropped} dead letters.`);
        }
        const query = { limit: 1_000, ...(target === undefined ? {} : { target }) };
        const reply = await client.call(contract.listNotificationDeadLetters, { query });
        if (isJson) return output.line(json(reply));
        const rows = reply.items.map((one) => [
          String(one.id),
          one.target,
          one.type,
          one.resource,
          String(one.attempts),
          one.last_error ?? '',
        ]);
        for (const line of table(['ID', 'TARGET', 'TYPE', 'RESOURCE', 'ATTEMPTS', 'LAST ERROR'], rows))
          output.line(line);
      },
    );
}
