import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '../../../src/client.ts';
import { contract } from '../../../src/contract.ts';
import { startApache } from '../../support/apache.ts';
import { type Radosgw, startRadosgw } from '../../support/radosgw.ts';
import { temporaryDirectory } from '../../support/temp.ts';
import type { Stops } from './stops.ts';

/** A place for objects, started for a test. */
export interface Place {
  /** Adds it as a backend; `position` is its turn. */
  addTo(api: Client, position: number): Promise<void>;
  /** The names of all that stands there, as seen from outside the gateway. */
  remains(): Promise<readonly string[]>;
}

/** A directory of this machine. */
export async function directoryPlace(stops: Stops): Promise<Place> {
  const directory = await temporaryDirectory();
  stops.add(() => directory[Symbol.asyncDispose]());
  const path = join(directory.path, 'objects');
  const backend = { name: 'directory', kind: 'filesystem', config: { path } };
  return { addTo: (api, position) => add(api, { ...backend, position }), remains: () => filesBelow(path) };
}

/** So that large objects of the suites are put there in parts. */
const partBytes = 8 * 1024 * 1024;

/** One radosgw of Debian's for several rigs: its start takes longer than all else of theirs. */
export class SharedRadosgw {
  #started: Promise<Radosgw> | null = null;
  #places = 0;

  /** A bucket of its own. */
  async place(): Promise<Place> {
    this.#started ??= startRadosgw();
    return radosgwPlace(await this.#started, `held-objects-${++this.#places}`);
  }

  async stop(): Promise<void> {
    // A start that failed has cleared up itself, and was told to whoever asked for a place.
    const radosgw = await this.#started?.catch(() => null);
    await radosgw?.stop();
  }
}

async function radosgwPlace(radosgw: Radosgw, bucket: string): Promise<Place> {
  await radosgw.call('PUT', `/${bucket}`);
  const { accessKey, secret } = radosgw.credentials;
  const config = { endpoint: radosgw.endpoint, bucket, multipart_part_bytes: String(partBytes) };
  const secrets = { access_key_id: accessKey, secret_access_key: secret };
  const backend = { name: 'radosgw', kind: 's3', config, secrets };
  return { addTo: (api, position) => add(api, { ...backend, position }), remains: () => keysOf(radosgw, bucket) };
}

async function keysOf(radosgw: Radosgw, bucket: string): Promise<string[]> {
  const objects = await radosgw.call('GET', `/${bucket}?list-type=2`);
  const uploads = await radosgw.call('GET', `/${bucket}?uploads`);
  return [...`${objects}${uploads}`.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key!);
}

/** A collection of Debian's Apache. */
export async function webdavPlace(stops: Stops): Promise<Place> {
  const apache = await startApache();
  stops.add(() => apache.stop());
  const { url, username, password, directory } = apache;
  const backend = { name: 'webdav', kind: 'webdav', config: { url, username }, secrets: { password } };
  return { addTo: (api, position) => add(api, { ...backend, position }), remains: () => filesBelow(directory) };
}

interface Backend {
  readonly name: string;
  readonly kind: string;
  readonly config: Record<string, string>;
  readonly secrets?: Record<string, string>;
  readonly position: number;
}

async function add(api: Client, backend: Backend): Promise<void> {
  await api.call(contract.addObjectBackend, { body: backend });
}

/** All files but the one by which a directory is known. */
async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile() && entry.name !== '.holdfast-objects');
  return files.map((entry) => join(entry.parentPath, entry.name));
}
