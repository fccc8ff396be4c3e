import type { ObjectBackendKind } from './backend.ts';
import { filesystemKind } from './filesystem/kind.ts';
import { rcloneKind } from './rclone/rclone.ts';
import { s3Kind } from './s3/s3.ts';
import { webdavKind } from './webdav/webdav.ts';

/** Every kind of backend that objects can stand on, by its name. */
export function objectBackendKinds(): ReadonlyMap<string, ObjectBackendKind> {
  return new Map([filesystemKind, s3Kind, webdavKind, rcloneKind].map((kind) => [kind.kind, kind]));
}
