import { beginUpload, complete, copy, put, putPart, remove } from './acts.ts';
import type { Lab } from './lab.ts';
import type { Upload } from '../../src/objects/object.ts';

/** What stands under a key; `null` for nothing. */
export type Standing = Buffer | null;

/** Something that a process does to a key, and may die of. */
export interface Story {
  readonly name: string;
  readonly bucket: string;
  /** Prepares what is needed, undisturbed; gives what then stands under the key. */
  before(lab: Lab, key: string): Promise<Standing>;
  /** What the process does. Once it has resolved it is acknowledged. */
  act(lab: Lab, key: string): Promise<unknown>;
  /** What stands when that was acknowledged. */
  outcome(key: string): Standing;
}

const partBytesMin = 5 * 1024 ** 2;
const { signal } = new AbortController();

/** The buckets of the stories. */
export async function createStoryBuckets(lab: Lab): Promise<void> {
  await lab.bucket('one', { copies: 2, durability: 'one' });
  await lab.bucket('all', { copies: 2, durability: 'all' });
  await lab.bucket('kept', { copies: 2, durability: 'one', versioning: 'enabled' });
  await lab.bucket('placed', { copies: 2, durability: 'all', requiredLabels: { zone: 'x' } });
}

/** Bytes that no other key and no other write has. */
function bytesOf(key: string, what: string, sizeBytes = 3_000): Buffer {
  return Buffer.alloc(sizeBytes, `${key} ${what}. `);
}

async function write(lab: Lab, bucket: string, key: string, what: string): Promise<Buffer> {
  const bytes = bytesOf(key, what);
  await put(lab, bucket, key, bytes);
  await lab.gateway.writer.settle();
  return bytes;
}

function writeStream(lab: Lab, bucket: string, key: string) {
  const bytes = bytesOf(key, 'streamed', 200_000);
  async function* stream() {
    for (let offset = 0; offset < bytes.length; offset += 65_536) yield bytes.subarray(offset, offset + 65_536);
  }
  return put(lab, bucket, key, stream(), { sizeBytes: bytes.length });
}

/** The open uploads of a key. */
export async function uploadsOf(lab: Lab, bucket: string, key: string): Promise<readonly Upload[]> {
  const page = await lab.gateway.uploads.list({ bucket, prefix: key, delimiter: null, after: null, limit: 10 });
  return page.uploads;
}

async function uploadParts(lab: Lab, bucket: string, key: string): Promise<Upload> {
  const upload = await beginUpload(lab, bucket, key);
  await putPart(lab, upload, 1, bytesOf(key, 'first part', partBytesMin));
  await putPart(lab, upload, 2, bytesOf(key, 'displaced part'));
  await putPart(lab, upload, 2, bytesOf(key, 'second part'));
  await putPart(lab, upload, 3, bytesOf(key, 'part that is not wanted'));
  return upload;
}

async function completeTwo(lab: Lab, upload: Upload) {
  const parts = await lab.gateway.uploads.listParts(upload, { after: 0, limit: 2 });
  return complete(lab, upload, parts);
}

const inParts = (key: string) => Buffer.concat([bytesOf(key, 'first part', partBytesMin), bytesOf(key, 'second part')]);

export const stories: readonly Story[] = [
  {
    name: 'a new object',
    bucket: 'one',
    before: async () => null,
    act: (lab, key) => put(lab, 'one', key, bytesOf(key, 'new')),
    outcome: (key) => bytesOf(key, 'new'),
  },
  {
    name: 'an object overwritten by a stream',
    bucket: 'all',
    before: (lab, key) => write(lab, 'all', key, 'old'),
    act: (lab, key) => writeStream(lab, 'all', key),
    outcome: (key) => bytesOf(key, 'streamed', 200_000),
  },
  {
    name: 'an object overwritten, its second copy late',
    bucket: 'one',
    before: (lab, key) => write(lab, 'one', key, 'old'),
    act: (lab, key) => {
      lab.backends[1]!.backend.faults.push({ verb: 'put', times: 1, effect: 'slow', delayMs: 5 });
      return put(lab, 'one', key, bytesOf(key, 'new'));
    },
    outcome: (key) => bytesOf(key, 'new'),
  },
  {
    name: 'an upload in parts from its beginning to its end',
    bucket: 'one',
    before: async () => null,
    act: async (lab, key) => {
      const upload = await beginUpload(lab, 'one', key);
      await putPart(lab, upload, 1, bytesOf(key, 'displaced part'));
      const part = await putPart(lab, upload, 1, bytesOf(key, 'part'));
      await putPart(lab, upload, 2, bytesOf(key, 'part that is not wanted'));
      return complete(lab, upload, [part]);
    },
    outcome: (key) => bytesOf(key, 'part'),
  },
  {
    name: 'the completion of an upload',
    bucket: 'all',
    before: async (lab, key) => {
      await uploadParts(lab, 'all', key);
      return write(lab, 'all', key, 'old');
    },
    act: async (lab, key) => completeTwo(lab, (await uploadsOf(lab, 'all', key))[0]!),
    outcome: inParts,
  },
  {
    name: 'the end of an upload that is given up',
    bucket: 'one',
    before: async (lab, key) => {
      await uploadParts(lab, 'one', key);
      return null;
    },
    act: async (lab, key) => lab.gateway.uploads.abort((await uploadsOf(lab, 'one', key))[0]!, 'tester'),
    outcome: () => null,
  },
  {
    name: 'a copy that shares its bytes',
    bucket: 'all',
    before: async (lab, key) => {
      await write(lab, 'one', key, 'source');
      return write(lab, 'all', key, 'old');
    },
    act: (lab, key) => copy(lab, ['one', key], ['all', key]),
    outcome: (key) => bytesOf(key, 'source'),
  },
  {
    name: 'a copy whose bytes move to other backends',
    bucket: 'placed',
    before: async (lab, key) => {
      await write(lab, 'one', key, 'source');
      return null;
    },
    act: (lab, key) => copy(lab, ['one', key], ['placed', key]),
    outcome: (key) => bytesOf(key, 'source'),
  },
  {
    name: 'the deletion of an object',
    bucket: 'one',
    before: (lab, key) => write(lab, 'one', key, 'old'),
    act: (lab, key) => remove(lab, 'one', key),
    outcome: () => null,
  },
  {
    name: 'a delete marker',
    bucket: 'kept',
    before: (lab, key) => write(lab, 'kept', key, 'old'),
    act: (lab, key) => remove(lab, 'kept', key),
    outcome: () => null,
  },
  {
    name: 'the deletion of the latest version',
    bucket: 'kept',
    before: async (lab, key) => {
      await write(lab, 'kept', key, 'older');
      return write(lab, 'kept', key, 'newer');
    },
    act: async (lab, key) => {
      const { versionId } = await lab.gateway.objects.stat({ bucket: 'kept', key });
      await remove(lab, 'kept', key, versionId);
    },
    outcome: (key) => bytesOf(key, 'older'),
  },
  {
    name: 'a copy that is made again',
    bucket: 'one',
    before: (lab, key) => {
      lab.backends[1]!.backend.faults.push({ verb: 'put', times: 1, effect: 'fail' });
      return write(lab, 'one', key, 'short of a copy');
    },
    act: (lab) => lab.keepers().replicator.run(signal),
    outcome: (key) => bytesOf(key, 'short of a copy'),
  },
  {
    name: 'copies that leave a backend',
    bucket: 'all',
    before: async (lab, key) => {
      const bytes = await write(lab, 'all', key, 'moved');
      await lab.setState('m1', 'draining');
      return bytes;
    },
    act: (lab) => lab.keepers().replicator.run(signal),
    outcome: (key) => bytesOf(key, 'moved'),
  },
  {
    name: 'bytes that are deleted',
    bucket: 'one',
    before: async (lab, key) => {
      await write(lab, 'one', key, 'old');
      await remove(lab, 'one', key);
      return null;
    },
    act: (lab) => lab.keepers().cleanup.run(signal),
    outcome: () => null,
  },
];
