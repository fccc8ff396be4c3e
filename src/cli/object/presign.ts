import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../../kernel/config/duration.ts';
import type { ReplyOf } from '../../kernel/http/contract.ts';
import type { objectContract } from '../../objects/api/contract.ts';
import { examples } from '../examples.ts';
import { json } from '../output.ts';
import { objectPath, parseObjectAddress } from './address.ts';
import { runObjectCommand } from './run.ts';

type PresignReply = ReplyOf<typeof objectContract.presignObject>;

/** As long as S3 allows (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html). */
const expiresSecondsMax = 604_800;

/** `holdfast object presign` */
export function registerPresign(object: Command): void {
  object
    .command('presign <object>')
    .description('make an address by which anybody may read or write <bucket>/<key> for a while')
    .addOption(
      new Option('--method <method>', 'what the address is for')
        .choices(['GET', 'PUT', 'HEAD', 'DELETE'])
        .default('GET'),
    )
    .addOption(
      new Option('--expires <time>', 'such as 15m, 1h or 7d; a plain number is seconds')
        .default(3_600, '1h')
        .argParser(seconds),
    )
    .addHelpText(
      'after',
      examples('object presign safe/backup.tar --expires 7d', 'object presign safe/inbox/new.pdf --method PUT'),
    )
    .action((target: string, flags: { method: string; expires: number }, command: Command) =>
      runObjectCommand(command, async ({ bytes, output, isJson, signal }) => {
        const path = objectPath(parseObjectAddress(target), '/presign');
        const body = { method: flags.method, expires_in_seconds: flags.expires };
        const reply = await bytes.json<PresignReply>({ method: 'POST', path, signal }, body);
        output.line(isJson ? json(reply) : reply.url);
      }),
    );
}

function seconds(text: string): number {
  let ms: number;
  try {
    // As other S3 clients have it.
    ms = parseDuration(/^\d+$/.test(text) ? `${text}s` : text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  const whole = Math.ceil(ms / 1000);
  if (whole >= 1 && whole <= expiresSecondsMax) return whole;
  throw new InvalidArgumentError('It must be from 1s to 7d.');
}
