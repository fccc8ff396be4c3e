import type { Command } from 'commander';
import { parsePermissions } from '../objects/access/permission-list.ts';
import { accessContract } from '../objects/access/contract.ts';
import type { ReplyOf } from '../kernel/http/contract.ts';
import { type ConnectionOptions, type Session, connect } from './connection.ts';
import { examples } from './examples.ts';
import { wholeNumber } from './object/run.ts';
import { json, table } from './output.ts';

type NewKeyReply = ReplyOf<typeof accessContract.createKey>;

interface CreateOptions {
  readonly user?: string;
  readonly label?: string;
  readonly bucket?: string;
  readonly permissions?: string;
}

/** The word for an empty list of permissions, which a shell cannot show. */
const none = 'none';

/** `holdfast key …`. `open` connects to the server. */
export function registerKeyCommands(
  key: Command,
  open: (options: ConnectionOptions) => Session = (options) => connect(options),
): void {
  const session = (command: Command) => open(command.optsWithGlobals());
  registerCreate(key, session);
  registerList(key, session);
  key
    .command('revoke <access-key>')
    .description('end an access key')
    .addHelpText('after', examples('key revoke HFXXXXXXXXXXXXXXXXXX'))
    .action(async (accessKey: string, _options: unknown, command: Command) => {
      const { client, output, isJson } = session(command);
      await client.call(accessContract.revokeKey, { params: { key: accessKey } });
      output.line(isJson ? json({ access_key: accessKey, revoked: true }) : `Access key ${accessKey} is revoked.`);
    });
  key
    .command('grant <user> <bucket> <permissions>')
    .description('set what a user may do in a bucket, or in every other one with "*"')
    .addHelpText('after', `\nPermissions are list,read,write,delete,tags or some of them, or ${none}.`)
    .addHelpText('after', examples('key grant laptop safe list,read', `key grant laptop '*' ${none}`))
    .action(async (user: string, bucket: string, permissions: string, _options: unknown, command: Command) => {
      const { client, output, isJson } = session(command);
      const body = { bucket, permissions: permissionsIn(permissions) };
      const grant = await client.call(accessContract.setGrant, { params: { user }, body });
      if (isJson) return output.line(json(grant));
      output.line(`${user} may now do in ${placeOf(bucket)}: ${grant.permissions.join(', ') || 'nothing'}.`);
    });
}

function registerCreate(key: Command, session: (command: Command) => Session): void {
  key
    .command('create')
    .description('make an access key; its secret is shown once')
    .option('--user <user>', 'an existing user; by default one named by the label, or "default"')
    .option('--label <label>', 'what the key is for')
    .option('--bucket <bucket>', 'grant rights in this bucket; by default in every one')
    .option('--permissions <list>', 'of list,read,write,delete,tags; by default all')
    .addHelpText(
      'after',
      examples('key create --label laptop', 'key create --label reports --bucket safe --permissions list,read'),
    )
    .action(async (options: CreateOptions, command: Command) => {
      const { user, label, bucket, permissions } = options;
      const { client, output, isJson } = session(command);
      const body = {
        ...(user === undefined ? {} : { user }),
        ...(label === undefined ? {} : { label }),
        ...(bucket === undefined ? {} : { bucket }),
        ...(permissions === undefined ? {} : { permissions: permissionsIn(permissions) }),
      };
      const reply = await client.call(accessContract.createKey, { body });
      if (isJson) return output.line(json(reply));
      for (const line of newKeyLines(reply, s3EnvironmentHint(client.url, process.env))) output.line(line);
    });
}

function registerList(key: Command, session: (command: Command) => Session): void {
  key
    .command('list')
    .description('list access keys, without secrets')
    .option('--user <user>', 'only those of one user')
    .option('--limit <n>', 'keys a page', wholeNumber(1, 1000))
    .option('--cursor <cursor>', 'go on after an earlier list')
    .addHelpText('after', examples('key list --user laptop'))
    .action(async (options: Record<string, never>, command: Command) => {
      const { client, output, isJson } = session(command);
      const { user, limit, cursor } = options;
      const reply = await client.call(accessContract.listKeys, { query: { user, limit, cursor } as never });
      if (isJson) return output.line(json(reply));
      const rows = reply.items.map((one) => [
        one.access_key,
        one.user_name,
        one.label,
        one.created_at,
        one.last_used_at ?? '-',
        one.revoked_at ?? '-',
      ]);
      for (const line of table(['ACCESS KEY', 'USER', 'LABEL', 'CREATED', 'LAST USED', 'REVOKED'], rows)) {
        output.line(line);
      }
      if (reply.next_cursor !== null) output.line(`more: --cursor ${reply.next_cursor}`);
    });
}

/** What a person needs to use a new key, to be pasted into a shell. */
function newKeyLines({ access_key, secret, user_name }: NewKeyReply, hint: readonly string[]): string[] {
  return [
    `Access key of the user "${user_name}". The secret is shown only now:\n`,
    `  export AWS_ACCESS_KEY_ID=${access_key}`,
    `  export AWS_SECRET_ACCESS_KEY=${secret}`,
    ...hint.map((line) => `  export ${line}`),
    '\nPaste these lines into a shell, and "aws s3 ls" lists your buckets.',
  ];
}

/** Where the S3 endpoint most likely is: on the API's host, as the settings in this environment say. */
export function s3EnvironmentHint(apiUrl: string, env: NodeJS.ProcessEnv): string[] {
  const { protocol, hostname } = new URL(apiUrl);
  return [
    `AWS_ENDPOINT_URL=${protocol}//${hostname}:${env['HOLDFAST_S3_PORT'] || '9000'}`,
    `AWS_DEFAULT_REGION=${env['HOLDFAST_S3_REGION'] || 'us-east-1'}`,
  ];
}

function permissionsIn(text: string) {
  return text.trim() === none ? [] : [...parsePermissions(text)];
}

function placeOf(bucket: string): string {
  return bucket === '*' ? 'every other bucket' : bucket;
}
