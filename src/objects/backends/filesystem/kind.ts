import { isAbsolute, resolve } from 'node:path';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { BackendSettings, ObjectBackend, ObjectBackendKind } from '../backend.ts';
import { FilesystemBackend } from './filesystem.ts';

const FIELDS = new Set(['path', 'sync_small_reads', 'expect_marker']);
/** A path has at most 4,095 bytes (Linux, PATH_MAX), of which the longest key needs 3,400. */
const PATH_BYTES_MAX = 512;

/**
 * A directory of this host. Settings:
 * - `path`: the directory, absolute. It is made, or taken when it is empty; later it must be the same one.
 * - `sync_small_reads` (`true`): reads of up to 64 KiB are made without the thread pool, at a fifth of the cost. Choose
 *   `false` for a network file system: a read that hangs would hold up the server.
 * - `expect_marker`: the id that the directory must have (health shows it). With it, no directory is ever set up anew.
 */
export const filesystemKind: ObjectBackendKind = {
  kind: 'filesystem',

  validate({ config, secrets }: BackendSettings): BackendSettings {
    for (const field of Object.keys(config)) {
      if (!FIELDS.has(field)) throw wrong(field, `A filesystem backend has no setting "${field}".`);
    }
    for (const field of Object.keys(secrets)) throw wrong(field, 'A filesystem backend has no secrets.');
    const path = config['path'] ?? '';
    if (!isAbsolute(path)) throw wrong('path', 'The path of a filesystem backend is an absolute one.');
    if (path.includes('\0') || Buffer.byteLength(path) > PATH_BYTES_MAX) {
      throw wrong(
        'path',
        `The path of a filesystem backend has at most ${PATH_BYTES_MAX} bytes, and none of them is 0.`,
      );
    }
    const syncSmallReads = config['sync_small_reads'] ?? 'true';
    if (!['true', 'false'].includes(syncSmallReads)) {
      throw wrong('sync_small_reads', 'The setting "sync_small_reads" is "true" or "false".');
    }
    const expected = config['expect_marker'] ?? '';
    if (!/^[0-9a-f-]{0,64}$/.test(expected)) {
      throw wrong('expect_marker', 'The setting "expect_marker" is an id as the health of the backend shows it.');
    }
    const marker = expected === '' ? {} : { expect_marker: expected };
    return { config: { path: resolve(path), sync_small_reads: syncSmallReads, ...marker }, secrets: {} };
  },

  open(settings: BackendSettings): ObjectBackend {
    const { config } = this.validate(settings);
    return new FilesystemBackend({
      directory: config['path'] ?? '',
      expectedMarker: config['expect_marker'] ?? null,
      syncSmallReads: config['sync_small_reads'] === 'true',
    });
  },
};

function wrong(field: string, sentence: string): HoldfastError {
  return new HoldfastError('invalid', sentence, { field });
}
