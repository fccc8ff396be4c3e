import { appendEvent } from '../../kernel/events/event.ts';
import type { Tx } from '../../kernel/store/store.ts';
import type { ObjectVersion } from '../object.ts';

/** The resource under which the events of a key are numbered. */
export function objectResource(bucket: string, key: string): string {
  return `object:${bucket}/${key}`;
}

/** Writes what happened to a version, in the transaction in which it happened; the key is locked by the caller. */
export async function noteObject(
  tx: Tx,
  note: {
    readonly type: string;
    readonly version: ObjectVersion;
    readonly actor: string;
    readonly nowMs: number;
    readonly detail?: Readonly<Record<string, unknown>>;
  },
): Promise<void> {
  const { type, version, actor, nowMs, detail = {} } = note;
  const { bucket, key, versionId, sizeBytes, etag } = version;
  await appendEvent(tx, {
    resource: objectResource(bucket, key),
    type,
    data: { bucket, key, version_id: versionId, size_bytes: sizeBytes, etag, ...detail },
    operationId: null,
    actor,
    createdAtMs: nowMs,
  });
}
