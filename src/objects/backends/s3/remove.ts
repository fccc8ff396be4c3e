import type { S3Client } from './client.ts';
import { partBytesMin } from './limits.ts';
import { abortUpload, uploadsOf } from './multipart.ts';
import { type S3Head, headBlob, unlessAbsent } from './read.ts';

/** Versions of one key that one call removes; a write-once key has one, or a few from repeated puts. */
const VERSIONS_MAX = 64;

/**
 * DeleteObject, and an end to what unfinished multipart uploads have left. DELETE itself does not tell whether there was
 * anything, so HEAD is asked first; and DELETE is sent even then when there was nothing, since it costs little and a put
 * whose answer was lost may come to pass late.
 *
 * In a bucket that keeps versions a plain DELETE would keep the bytes, so each version is removed by its id.
 */
export async function removeBlob(client: S3Client, key: string, signal: AbortSignal): Promise<'deleted' | 'absent'> {
  const first = await headBlob(client, key, key, signal);
  let next: S3Head | null = first;
  for (let versions = 0; versions < VERSIONS_MAX; versions++) {
    const query = next?.versionId == null ? {} : { versionId: next.versionId };
    await unlessAbsent(client, signal, () => client.done({ method: 'DELETE', key, query, signal }, [200, 204]));
    if (next?.versionId == null) break;
    next = await headBlob(client, key, key, signal);
    if (next === null) break;
  }
  // A blob that is small never was an upload, and neither was any other put of its key.
  if (first === null || first.facts.sizeBytes > partBytesMin) {
    for (const upload of await uploadsOf(client, key, signal)) await abortUpload(client, upload, signal);
  }
  return first === null ? 'absent' : 'deleted';
}
