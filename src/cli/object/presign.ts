import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../../kernel/config/duration.ts';
import type { ReplyOf } from '../../kernel/http/contract.ts';
import type { objectContract } from '../../objects/api/contract.ts';
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
    .addOption(new Option('--method <method>').choices(['GET', 'PUT', 'HEAD', 'DELETE']).default('GET'))
    .option('--expires <time>', 'such as 15m, 1h or 7d', seconds, 3_600)
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
    ms = parseDuration(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  const whole = Math.ceil(ms / 1000);
  if (whole >= 1 && whole <= expiresSecondsMax) return whole;
  throw new InvalidArgumentError('It must be from 1s to 7d.');
}
