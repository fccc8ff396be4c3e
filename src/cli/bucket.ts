import { type Command, Option } from 'commander';
import { ApiError } from '../client.ts';
import { formatSize, parseSize } from '../kernel/config/size.ts';
import { HoldfastError } from '../kernel/errors/errors.ts';
import type { BodyOf, ReplyOf } from '../kernel/http/contract.ts';
import { bucketContract as contract } from '../objects/api/contract.ts';
import { compressions, durabilities, placements } from '../objects/bucket.ts';
import { pairs } from './backend-options.ts';
import { confirm } from './confirm.ts';
import { connect } from './connection.ts';
import { examples } from './examples.ts';
import { removeBelow } from './object/remove-below.ts';
import { runObjectCommand, several, wholeNumber, withParallel } from './object/run.ts';
import { Tally } from './object/tally.ts';
import { json, table } from './output.ts';
import { registerExport } from './transfer/export.ts';
import { registerImport } from './transfer/import.ts';

type BucketReply = ReplyOf<typeof contract.getBucket>;
type ChangeBody = BodyOf<typeof contract.changeBucket>;

interface WishFlags {
  readonly copies?: number;
  readonly durability?: ChangeBody['durability'];
  readonly placement?: ChangeBody['placement'];
  readonly requireLabel?: readonly string[];
  readonly failureDomain?: string;
  readonly encryption?: string;
  readonly compression?: ChangeBody['compression'];
  readonly requestRate?: string;
  readonly byteRate?: string;
}

const copiesMax = 16;
/** The word that takes a wish away. */
const none = 'none';

/** `holdfast bucket …` */
export function registerBucketCommands(bucket: Command): void {
  registerCreate(bucket);
  registerReading(bucket);
  registerChange(bucket);
  registerRemove(bucket);
  registerImport(bucket);
  registerExport(bucket);
}

function registerCreate(bucket: Command): void {
  wishes(bucket.command('create <name>').description('make a bucket'))
    .option('--versioning', 'keep what is overwritten or removed as older versions')
    .option('--object-lock', 'let versions be locked against removal; keeps versions too')
    .addHelpText('after', examples('bucket create safe --copies 2 --failure-domain place'))
    .action(async (name: string, flags: WishFlags & { versioning?: true; objectLock?: true }, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const body = {
        name,
        ...wishOf(flags),
        ...(flags.versioning === true ? { versioning: 'enabled' as const } : {}),
        ...(flags.objectLock === true ? { object_lock: true } : {}),
      };
      const made = await client.call(contract.createBucket, { body });
      output.line(isJson ? json(made) : `Bucket ${name} is made: ${demands(made)}.`);
    });
}

function registerReading(bucket: Command): void {
  bucket
    .command('list')
    .description('list buckets')
    .addHelpText('after', examples('bucket list --prefix team-'))
    .option('--prefix <prefix>', 'only those whose names begin so')
    .option('--limit <n>', 'buckets a page', wholeNumber(1, 1000))
    .option('--cursor <cursor>', 'go on after an earlier list')
    .action(async (flags: { prefix?: string; limit?: number; cursor?: string }, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const { prefix, limit, cursor } = flags;
      const reply = await client.call(contract.listBuckets, { query: { prefix, limit, cursor } as never });
      if (isJson) return output.line(json(reply));
      const rows = reply.items.map((one) => [
        one.name,
        String(one.copies),
        one.durability,
        one.placement,
        one.versioning + (one.object_lock ? ', locked' : ''),
        one.owner,
        one.created_at,
      ]);
      const headers = ['NAME', 'COPIES', 'DURABILITY', 'PLACEMENT', 'VERSIONING', 'OWNER', 'CREATED'];
      for (const line of table(headers, rows)) output.line(line);
      if (reply.next_cursor !== null) output.line(`more: --cursor ${reply.next_cursor}`);
    });
  bucket
    .command('show <name>')
    .description('show one bucket')
    .addHelpText('after', examples('bucket show safe'))
    .action(async (name: string, _options: unknown, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const reply = await client.call(contract.getBucket, { params: { bucket: name } });
      if (isJson) return output.line(json(reply));
      for (const line of factLines(reply)) output.line(line);
    });
}

function registerChange(bucket: Command): void {
  wishes(bucket.command('change <name>').description('change what a bucket demands; existing objects follow in time'))
    .addOption(new Option('--versioning <state>', 'of what is written from now on').choices(['enabled', 'suspended']))
    .addHelpText(
      'after',
      examples(
        'bucket change safe --copies 3 --durability quorum',
        'bucket change safe --request-rate 100 --byte-rate 20MiB',
      ),
    )
    .action(async (name: string, flags: WishFlags & { versioning?: ChangeBody['versioning'] }, command: Command) => {
      const { client, output, isJson } = connect(command.optsWithGlobals());
      const { versioning } = flags;
      const body: ChangeBody = { ...wishOf(flags), ...(versioning === undefined ? {} : { versioning }) };
      if (Object.keys(body).length === 0)
        throw new HoldfastError('invalid', 'There is nothing to change: give an option.');
      const changed = await client.call(contract.changeBucket, { params: { bucket: name }, body });
      output.line(isJson ? json(changed) : `Bucket ${name} is changed: ${demands(changed)}.`);
    });
}

function registerRemove(bucket: Command): void {
  withParallel(bucket.command('remove <name>').description('remove an empty bucket'))
    .option('--force', 'remove its objects first')
    .option('-y, --yes', 'without asking')
    .addHelpText('after', examples('bucket remove safe', 'bucket remove safe --force --yes'))
    .action((name: string, flags: { force?: true; yes?: true; parallel: number }, command: Command) =>
      runObjectCommand(command, async ({ client, bytes, output, isJson, signal }) => {
        const params = { bucket: name };
        if (flags.force === true) {
          // A wrong name is told before the question is.
          await client.call(contract.getBucket, { params });
          await confirm(`Bucket ${name} and all its objects will be removed. Go on?`, flags.yes === true);
          const tally = new Tally();
          await removeBelow(bytes, { bucket: name, key: '' }, { parallel: flags.parallel, signal, tally });
          if (!isJson || tally.hasFailures) tally.report(output, isJson, 'removed', false);
        }
        const reply = await client.call(contract.deleteBucket, { params }).catch((error: unknown) => {
          throw flags.force === true ? explained(error) : error;
        });
        output.line(isJson ? json(reply) : `Bucket ${name} is removed.`);
      }),
    );
}

function wishes(command: Command): Command {
  return command
    .option('--copies <n>', 'copies of each object, on as many backends', wholeNumber(1, copiesMax))
    .addOption(
      new Option('--durability <level>', 'how many copies stand before a write is done').choices([...durabilities]),
    )
    .addOption(new Option('--placement <way>', 'fill backends one by one, or evenly').choices([...placements]))
    .option('--require-label <key=value>', `a label that its backends must have; several times, or "${none}"`, several)
    .option('--failure-domain <label>', `a label whose values no two copies should share, or "${none}"`)
    .option('--encryption <way>', `AES256, aws:kms, aws:kms=<id of a root key>, or "${none}"`)
    .addOption(new Option('--compression <way>', 'how objects that shrink are compressed').choices([...compressions]))
    .option('--request-rate <n>', `requests a second that each gateway lets pass, or "${none}"`)
    .option('--byte-rate <size>', `bytes a second, both ways, such as 10MiB, or "${none}"`);
}

function wishOf(flags: WishFlags): ChangeBody {
  const { copies, durability, placement, requireLabel, failureDomain, encryption, compression, requestRate, byteRate } =
    flags;
  const labels = requireLabel?.join() === none ? {} : pairs('--require-label', requireLabel);
  return {
    ...(copies === undefined ? {} : { copies }),
    ...(durability === undefined ? {} : { durability }),
    ...(placement === undefined ? {} : { placement }),
    ...(labels === undefined ? {} : { required_labels: labels }),
    ...(failureDomain === undefined ? {} : { failure_domain: failureDomain === none ? null : failureDomain }),
    ...(encryption === undefined ? {} : { encryption: encryptionOf(encryption) }),
    ...(compression === undefined ? {} : { compression }),
    ...(requestRate === undefined ? {} : { requests_per_second: rateOf('--request-rate', requestRate, Number) }),
    ...(byteRate === undefined ? {} : { bytes_per_second: rateOf('--byte-rate', byteRate, sizeOf) }),
  };
}

function rateOf(flag: string, text: string, parse: (text: string) => number): number | null {
  if (text === none) return null;
  const rate = parse(text);
  if (Number.isSafeInteger(rate) && rate > 0) return rate;
  throw new HoldfastError('invalid', `${flag} is a whole number above 0, or ${none}.`, { field: flag });
}

function sizeOf(text: string): number {
  try {
    return Number(parseSize(text));
  } catch {
    return Number.NaN;
  }
}

function encryptionOf(text: string): NonNullable<ChangeBody['encryption']> | null {
  if (text === none) return null;
  if (text === 'AES256' || text === 'aws:kms') return { algorithm: text };
  const keyId = text.startsWith('aws:kms=') ? text.slice('aws:kms='.length) : '';
  if (keyId !== '') return { algorithm: 'aws:kms', key_id: keyId };
  throw new HoldfastError('invalid', `--encryption is AES256, aws:kms, aws:kms=<id> or ${none}.`);
}

function encryptionText({ encryption }: BucketReply): string | null {
  if (encryption === null) return null;
  return encryption.key_id === null ? encryption.algorithm : `${encryption.algorithm} with ${encryption.key_id}`;
}

/** What a bucket demands, in a few words. */
function demands(bucket: BucketReply): string {
  const { copies, durability, placement, versioning, object_lock, failure_domain: domain } = bucket;
  const labels = labelsOf(bucket);
  return [
    `${copies} ${copies === 1 ? 'copy' : 'copies'}${domain === null ? '' : `, each with another ${domain}`}`,
    ...(labels === '' ? [] : [`only where ${labels}`]),
    `durability ${durability}`,
    `placement ${placement}`,
    `versioning ${versioning}`,
    ...(object_lock ? ['object lock'] : []),
    ...(bucket.encryption === null ? [] : [`encryption ${encryptionText(bucket)}`]),
    ...(bucket.compression === 'none' ? [] : [`compression ${bucket.compression}`]),
    ...rates(bucket).map(([name, value]) => `${name} ${value}`),
  ].join(', ');
}

function rates({ requests_per_second: requests, bytes_per_second: bytes }: BucketReply): [string, string][] {
  return [
    ...(requests === null ? [] : [['request rate', `${requests}/s`] as [string, string]]),
    ...(bytes === null ? [] : [['byte rate', `${formatSize(BigInt(bytes))}/s`] as [string, string]]),
  ];
}

function labelsOf({ required_labels: labels }: BucketReply): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
}

function factLines(one: BucketReply): string[] {
  const facts: readonly (readonly [string, string | null])[] = [
    ['name', one.name],
    ['owner', one.owner],
    ['copies', String(one.copies)],
    ['durability', one.durability],
    ['placement', one.placement],
    ['required labels', labelsOf(one) || null],
    ['failure domain', one.failure_domain],
    ['versioning', one.versioning],
    ['object lock', one.object_lock ? 'on' : null],
    ['encryption', encryptionText(one)],
    ['compression', one.compression === 'none' ? null : one.compression],
    ...rates(one),
    ['version', String(one.version)],
    ['created', one.created_at],
  ];
  return facts.flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(17)}${value}`]));
}

/** Objects in sight are gone by then, so what is left is out of sight. */
function explained(error: unknown): unknown {
  if (!(error instanceof ApiError) || error.body.details?.['s3'] !== 'BucketNotEmpty') return error;
  const message =
    'Older versions, locked ones or unfinished uploads are left in the bucket; an S3 client can remove them.';
  return new ApiError(error.status, { ...error.body, error: message });
}
