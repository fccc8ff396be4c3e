import { checkRead } from '../conditions.ts';
import type { ByteRange } from '../content/content.ts';
import { requireCustomerKey } from '../encryption/encryption.ts';
import { objectError } from '../errors.ts';
import type { IncomingContent, PartSource } from '../gateway.ts';
import type { ContentPart } from '../object.ts';
import { type CopyObjectOptions, openSource } from './copy-object.ts';

/** Writes a range of an object as a part. */
export async function copyPart(
  options: CopyObjectOptions,
  { ref, range, conditions, sourceKey }: PartSource,
  signal: AbortSignal,
  put: (incoming: IncomingContent) => Promise<ContentPart>,
): Promise<ContentPart> {
  const { version } = await options.locator.find(ref);
  if (version.isMarker) throw objectError('NoSuchKey', { key: ref.key });
  if (checkRead(conditions, version) !== 'ok') throw objectError('PreconditionFailed');
  requireCustomerKey(version.attributes.encryption, sourceKey);
  requireInside(range, version.sizeBytes);
  const open = await openSource(options, version, range, { signal, customerKey: sourceKey });
  if (open === null) throw objectError('OperationAborted', {}, 'The source was overwritten meanwhile; try again.');
  try {
    return await put({ sizeBytes: range?.length ?? version.sizeBytes, content: open.content, signal });
  } finally {
    open.cancel();
  }
}

/** The range of a part must lie inside the source. */
function requireInside(range: ByteRange | null, sizeBytes: number): void {
  if (range === null || range.offset + range.length <= sizeBytes) return;
  throw objectError('InvalidArgument', { size_bytes: sizeBytes }, 'The range lies outside of the source.');
}
