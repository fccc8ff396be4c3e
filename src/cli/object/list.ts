import type { Command } from 'commander';
import { styleText } from 'node:util';
import { formatSize } from '../../kernel/config/size.ts';
import type { ByteClient } from '../../client-bytes.ts';
import { examples } from '../examples.ts';
import { json } from '../output.ts';
import { type ObjectAddress, parseAddress, printable } from './address.ts';
import { type ListReply, listPage, pageMax } from './listing.ts';
import { runObjectCommand, wholeNumber } from './run.ts';

const limitMax = 100_000;
const sizeWidth = 10;

interface ListFlags {
  readonly recursive?: boolean;
  readonly limit: number;
  readonly cursor?: string;
}

/** `holdfast object list` */
export function registerList(object: Command): void {
  object
    .command('list <target>')
    .description('list <bucket>[/prefix]; what is below a slash as one line')
    .option('-r, --recursive', 'all objects, also those below slashes')
    .option('--limit <n>', `at most so many, to ${limitMax}`, wholeNumber(1, limitMax), pageMax)
    .option('--cursor <cursor>', 'go on after an earlier list')
    .addHelpText('after', examples('object list safe', 'object list safe/photos/ --recursive --json'))
    .action((target: string, flags: ListFlags, command: Command) =>
      runObjectCommand(command, async ({ bytes, output, isJson, signal }) => {
        const collected: { items: unknown[]; prefixes: string[] } = { items: [], prefixes: [] };
        let next: string | null = null;
        for await (const page of pages(bytes, parseAddress(target), flags, signal)) {
          next = page.next_cursor;
          if (!isJson) for (const line of linesOf(page)) output.line(line);
          else {
            collected.items.push(...page.items);
            collected.prefixes.push(...page.prefixes);
          }
        }
        if (isJson) output.line(json({ ...collected, next_cursor: next }));
        else if (next !== null) output.line(`more: --cursor ${next}`);
      }),
    );
}

/** Pages until so many lines were given. */
async function* pages(
  client: ByteClient,
  { bucket, key: prefix }: ObjectAddress,
  flags: ListFlags,
  signal: AbortSignal,
): AsyncGenerator<ListReply> {
  const delimiter = flags.recursive === true ? {} : { delimiter: '/' };
  let left = flags.limit;
  let cursor = flags.cursor;
  do {
    const query = { bucket, prefix, ...delimiter, cursor, signal };
    const page = await listPage(client, { ...query, limit: Math.min(left, pageMax) });
    yield page;
    left -= page.items.length + page.prefixes.length;
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && left > 0);
}

/** Objects and what stands for many of them, in one order. */
function linesOf({ items, prefixes }: ListReply): string[] {
  const objects = items.map(({ key, size_bytes, modified_at }) => ({
    key,
    text: `${formatSize(BigInt(size_bytes)).padStart(sizeWidth)}  ${modified_at.slice(0, 19)}Z  ${printable(key)}`,
  }));
  const groups = prefixes.map((key) => ({
    key,
    text: `${'-'.padStart(sizeWidth)}  ${' '.repeat(20)}  ${styleText('bold', printable(key))}`,
  }));
  return [...objects, ...groups]
    .sort((one, other) => Buffer.compare(Buffer.from(one.key), Buffer.from(other.key)))
    .map(({ text }) => text);
}
