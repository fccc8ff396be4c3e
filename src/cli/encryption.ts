import type { Command } from 'commander';
import type { ReplyOf } from '../kernel/http/contract.ts';
import { encryptionContract as contract } from '../objects/api/encryption-contract.ts';
import { connect } from './connection.ts';
import { examples } from './examples.ts';
import { json, table } from './output.ts';

type StatusReply = ReplyOf<typeof contract.getEncryption>;

const passes = [
  ['encrypt-existing', 'encrypt', 'encrypt objects that are not, as their bucket demands'],
  ['decrypt-existing', 'decrypt', 'write encrypted objects in the clear'],
  ['re-key', 're-key', 'give new data keys to objects that are not under the current keys'],
  ['compress-existing', 'compress', 'compress objects that shrink'],
  ['decompress-existing', 'decompress', 'write compressed objects as they came'],
] as const;

/** `holdfast encryption …` */
export function registerEncryptionCommands(encryption: Command): void {
  encryption
    .command('status')
    .description('show root keys, the keys that they wrap, and passes over objects')
    .addHelpText('after', examples('encryption status'))
    .action(async (_options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.getEncryption, {});
      if (isJson) return output.line(json(reply));
      for (const line of statusLines(reply)) output.line(line);
    });
  encryption
    .command('rotate')
    .description('wrap all keys anew with the current root key and make a new one; no object is touched')
    .addHelpText('after', examples('encryption rotate'))
    .action(async (_options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.rotateEncryption, { body: {} });
      const { rewrapped } = reply;
      output.line(isJson ? json(reply) : `${rewrapped} ${rewrapped === 1 ? 'key is' : 'keys are'} wrapped anew.`);
    });
  for (const [name, action, description] of passes) {
    encryption
      .command(name)
      .description(description)
      .option('--bucket <name>', 'only in one bucket')
      .option('--dry-run', 'only say what would be done')
      .addHelpText('after', examples(`encryption ${name} --bucket safe`))
      .action(async (flags: { bucket?: string; dryRun?: true }, command: Command) => {
        const { client, output, isJson } = connect(command.optsWithGlobals());
        const { bucket, dryRun } = flags;
        const body = { action, ...(bucket === undefined ? {} : { bucket }), ...(dryRun ? { dry_run: true } : {}) };
        const reply = await client.call(contract.startRewrite, { body });
        if (isJson) return output.line(json(reply));
        const { plan } = reply;
        if (plan === null) return output.line('It has begun; "holdfast encryption status" tells how far it is.');
        const more = plan.is_partial ? ' or more' : '';
        output.line(`${plan.contents} contents with ${plan.bytes} bytes${more} would be written anew.`);
        for (const one of plan.sample) output.line(`  ${one}`);
      });
  }
  encryption
    .command('cancel')
    .description('end the pass that is under way; what it has written stays')
    .addHelpText('after', examples('encryption cancel'))
    .action(async (_options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.cancelRewrite, {});
      if (isJson) return output.line(json(reply));
      output.line(reply.cancelled ? 'The pass is cancelled.' : 'There is no pass under way.');
    });
}

function statusLines({ root_keys: roots, keys, rewrites }: StatusReply): string[] {
  const rootRows = roots.map(({ id, origin, is_current: isCurrent }) => [id, isCurrent ? 'current' : '', origin]);
  const keyRows = keys.map((key) => [key.id, key.root_key_id, key.state, key.created_at]);
  const passRows = rewrites.map((one) => [
    one.action,
    one.bucket ?? 'all buckets',
    one.state,
    `${one.rewritten} of ${one.seen}`,
    String(one.failed),
    one.last_error ?? '',
  ]);
  return [
    ...table(['ROOT KEY', 'STATE', 'FROM'], rootRows),
    '',
    ...table(['KEY', 'ROOT KEY', 'STATE', 'CREATED'], keyRows),
    ...(passRows.length === 0
      ? []
      : ['', ...table(['PASS', 'WHERE', 'STATE', 'REWRITTEN', 'FAILED', 'LAST ERROR'], passRows)]),
  ];
}
