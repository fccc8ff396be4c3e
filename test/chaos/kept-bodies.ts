import { createHash } from 'node:crypto';

const kinds = ['words', 'noise'] as const;

/** A name from which the bytes of a write follow: words can be compressed, noise cannot. */
export function bodyId(name: string, sizeBytes: number, isNoise: boolean): string {
  return `${name}-${sizeBytes}-${kinds[isNoise ? 1 : 0]}`;
}

/** The bytes of a write; those of two writes differ, as soon as there are enough of them. */
export function bodyOf(id: string): Buffer {
  const [, size, kind] = /-(\d+)-(words|noise)$/.exec(id)!;
  const sizeBytes = Number(size);
  if (sizeBytes === 0) return Buffer.alloc(0);
  if (kind === 'words') return Buffer.alloc(sizeBytes, `${id} `);
  return createHash('shake256', { outputLength: sizeBytes }).update(id).digest();
}

/** As a client sends it whose content does not fit into one chunk. */
export async function* inChunks(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += 65_536) yield bytes.subarray(offset, offset + 65_536);
}
