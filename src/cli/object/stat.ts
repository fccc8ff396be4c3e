import type { IncomingHttpHeaders } from 'node:http';
import type { Command } from 'commander';
import { type ByteClient, Refused } from '../../client-bytes.ts';
import { formatSize } from '../../kernel/config/size.ts';
import { standardClass } from '../../objects/storage-class.ts';
import { examples } from '../examples.ts';
import { json } from '../output.ts';
import { type ObjectAddress, objectPath, parseObjectAddress, printable } from './address.ts';
import { notFound } from './not-found.ts';
import { retried } from './retry.ts';
import { runObjectCommand } from './run.ts';

const metadataPrefix = 'x-meta-';

/** `holdfast object stat` */
export function registerStat(object: Command): void {
  object
    .command('stat <object>')
    .description('show what is known of <bucket>/<key>')
    .option('--version-id <id>', 'this version of the object')
    .addHelpText('after', examples('object stat safe/backup.tar'))
    .action((target: string, { versionId }: { versionId?: string }, command: Command) =>
      runObjectCommand(command, async ({ bytes, output, isJson, signal }) => {
        const address = parseObjectAddress(target);
        const query = versionId === undefined ? '' : `?version_id=${encodeURIComponent(versionId)}`;
        const path = objectPath(address) + query;
        const head = () => bytes.send({ method: 'HEAD', path, signal });
        const response = await retried(signal, head).catch(async (error: unknown) => {
          throw error instanceof Refused ? await reasonByGet(bytes, address, { path, signal }, error) : error;
        });
        response.resume();
        const facts = factsOf(address, response.headers);
        if (isJson) output.line(json(facts));
        else for (const line of linesOf(facts)) output.line(line);
      }),
    );
}

type Facts = ReturnType<typeof factsOf>;

function factsOf({ bucket, key }: ObjectAddress, headers: IncomingHttpHeaders) {
  const metadata = Object.entries(headers)
    .filter(([name]) => name.startsWith(metadataPrefix))
    .map(([name, value]): [string, string] => [name.slice(metadataPrefix.length), decoded(String(value))]);
  const modifiedAt = new Date(headers['last-modified'] ?? '');
  return {
    bucket,
    key,
    version_id: String(headers['x-version-id'] ?? 'null'),
    size_bytes: Number(headers['content-length'] ?? 0),
    etag: (headers.etag ?? '').replaceAll('"', ''),
    content_type: decoded(headers['content-type'] ?? ''),
    metadata: Object.fromEntries(metadata),
    storage_class: String(headers['x-storage-class'] ?? standardClass),
    modified_at: Number.isNaN(modifiedAt.getTime()) ? null : modifiedAt.toISOString(),
  };
}

function linesOf({ bucket, key, size_bytes, metadata, ...facts }: Facts): string[] {
  const rows: readonly (readonly [string, string | null])[] = [
    ['bucket', bucket],
    ['key', key],
    ['size', `${formatSize(BigInt(size_bytes))} (${size_bytes} bytes)`],
    ['type', facts.content_type],
    ['etag', facts.etag],
    ['version', facts.version_id === 'null' ? null : facts.version_id],
    ['modified', facts.modified_at],
    ['class', facts.storage_class === standardClass ? null : facts.storage_class],
    ...Object.entries(metadata).map(([name, value]): [string, string] => [`meta ${name}`, value]),
  ];
  return rows.flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(12)}${printable(value)}`]));
}

/** The answer to HEAD has no body that could say what is wrong; that to GET has, and here is asked for one byte only. */
async function reasonByGet(
  bytes: ByteClient,
  { bucket, key }: ObjectAddress,
  where: { readonly path: string; readonly signal: AbortSignal },
  refused: Refused,
): Promise<unknown> {
  try {
    const response = await bytes.send({ method: 'GET', headers: { range: 'bytes=0-0' }, ...where });
    response.destroy();
    return refused;
  } catch (error) {
    const isAbsent = error instanceof Refused && error.body.details?.['s3'] === 'NoSuchKey';
    return isAbsent ? notFound(`There is no object ${printable(`${bucket}/${key}`)}.`) : error;
  }
}

/** A header's text: as it is, or an encoded word of UTF-8 in base64 (RFC 2047). */
function decoded(value: string): string {
  const [, base64] = /^=\?UTF-8\?B\?([\w+/=]*)\?=$/i.exec(value) ?? [];
  return base64 === undefined ? value : Buffer.from(base64, 'base64').toString();
}
