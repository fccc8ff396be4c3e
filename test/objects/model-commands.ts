import assert from 'node:assert/strict';
import fc from 'fast-check';
import { s3CodeOf } from '../../src/objects/errors.ts';
import type { Conditions } from '../../src/objects/conditions.ts';
import type { ContentPart, ObjectVersion, Upload } from '../../src/objects/object.ts';
import { beginUpload, complete, copy, put, putPart, remove } from './acts.ts';
import type { Lab } from './lab.ts';
import { type ModelBucket, type ModelCondition, dropVersion, latest, md5, partsEtag, place, refusal } from './model.ts';

/** A gateway beside its model, and what is under way in both. */
export interface Pair {
  readonly lab: Lab;
  readonly buckets: ReadonlyMap<string, ModelBucket>;
  readonly uploads: { readonly upload: Upload; readonly parts: Map<number, { part: ContentPart; bytes: Buffer }> }[];
}

interface Place {
  readonly bucket: string;
  readonly key: string;
}

export type Command =
  | (Place & {
      readonly do: 'put';
      readonly sizeBytes: number;
      readonly isStream: boolean;
      readonly condition: ModelCondition;
    })
  | (Place & { readonly do: 'remove' })
  | (Place & { readonly do: 'removeVersion'; readonly index: number })
  | (Place & { readonly do: 'copy'; readonly to: Place })
  | (Place & { readonly do: 'tag'; readonly value: string })
  | (Place & { readonly do: 'begin' })
  | { readonly do: 'version'; readonly bucket: string; readonly state: 'enabled' | 'suspended' }
  | { readonly do: 'part'; readonly index: number; readonly number: number; readonly sizeBytes: number }
  | { readonly do: 'complete'; readonly index: number }
  | { readonly do: 'abort'; readonly index: number }
  | { readonly do: 'fault'; readonly backend: number; readonly effect: 'fail' | 'lost_answer' | 'full' };

const largeBytes = 5 * 1024 ** 2;
const places = { bucket: fc.constantFrom('plain', 'kept'), key: fc.constantFrom('a', 'd/b', '\u{1f600}') };
const sizes = fc.constantFrom(0, 1, 300, 70_000, 300_000);
const index = fc.nat({ max: 5 });

const commands: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('put' as const),
      ...places,
      sizeBytes: sizes,
      isStream: fc.boolean(),
      condition: fc.constantFrom('none', 'none', 'absent', 'same', 'other'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), ...places }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('removeVersion' as const), ...places, index }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('copy' as const), ...places, to: fc.record(places) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tag' as const), ...places, value: fc.constantFrom('x', 'y') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('begin' as const), ...places }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('version' as const),
      bucket: fc.constant('kept'),
      state: fc.constantFrom('enabled', 'suspended'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('part' as const),
      index,
      number: fc.integer({ min: 1, max: 3 }),
      sizeBytes: fc.constantFrom(10, 400, 300_000, largeBytes),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('complete' as const), index }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('abort' as const), index }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('fault' as const),
      backend: fc.nat({ max: 2 }),
      effect: fc.constantFrom('fail', 'lost_answer', 'full'),
    }),
  },
) as fc.Arbitrary<Command>;

export const commandLists = fc.array(commands, { minLength: 5, maxLength: 40, size: 'max' });

/** Contents differ in every command, so that none is taken for another. */
function bytesOf(sizeBytes: number, step: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes, step % 251);
  if (sizeBytes >= 4) bytes.writeUInt32BE(step);
  return bytes;
}

async function* inChunks(bytes: Buffer) {
  for (let offset = 0; offset < bytes.length; offset += 65_536) yield bytes.subarray(offset, offset + 65_536);
}

/** Runs a command on both; what the model does not expect fails. */
export async function run(pair: Pair, command: Command, step: number): Promise<void> {
  const { lab, buckets } = pair;
  if (command.do === 'fault') {
    lab.backends[command.backend]!.backend.faults.push({ verb: 'put', times: 1, effect: command.effect });
  } else if (command.do === 'version') {
    buckets.get(command.bucket)!.versioning = command.state;
    await lab.gateway.buckets.update(
      command.bucket,
      (settings) => ({ ...settings, versioning: command.state }),
      'tester',
    );
  } else if (command.do === 'part' || command.do === 'complete' || command.do === 'abort') {
    await runUpload(pair, command, step);
  } else if (command.do === 'begin') {
    pair.uploads.push({ upload: await beginUpload(lab, command.bucket, command.key), parts: new Map() });
  } else {
    await runObject(pair, command, buckets.get(command.bucket)!, step);
  }
}

type ObjectCommand = Exclude<Command, { do: 'fault' | 'version' | 'part' | 'complete' | 'abort' | 'begin' }>;

async function runObject(pair: Pair, command: ObjectCommand, model: ModelBucket, step: number): Promise<void> {
  const { lab } = pair;
  const { bucket, key } = command;
  if (command.do === 'put') return runPut(pair, command, model, step);
  if (command.do === 'copy') return runCopy(pair, command, model);
  if (command.do === 'removeVersion') {
    const versions = model.keys.get(key) ?? [];
    const versionId = versions[command.index]?.versionId ?? 'absent';
    await remove(lab, bucket, key, versionId);
    return dropVersion(model, key, versionId);
  }
  if (command.do === 'tag') {
    const standing = latest(model, key);
    const tags = { tag: command.value };
    const tagged = lab.gateway.objects.setTags({ bucket, key }, tags, 'tester');
    const code = await tagged.then(() => null, s3CodeOf);
    const [first] = model.keys.get(key) ?? [];
    assert.equal(code, standing !== null ? null : first === undefined ? 'NoSuchKey' : 'MethodNotAllowed');
    if (standing !== null) standing.tags = tags;
    return;
  }
  const removal = await remove(lab, bucket, key);
  if (model.versioning === 'off') return dropVersion(model, key, 'null');
  const versionId = namedAsExpected(model, removal.versionId!);
  const rest = { isMarker: true, bytes: Buffer.alloc(0), etag: '', contentType: '', tags: {} };
  place(model, key, { versionId, ...rest });
}

async function runPut(
  pair: Pair,
  command: ObjectCommand & { do: 'put' },
  model: ModelBucket,
  step: number,
): Promise<void> {
  const { bucket, key, isStream, sizeBytes, condition } = command;
  const bytes = bytesOf(sizeBytes, step);
  const contentType = `type/${step}`;
  const refused = refusal(model, key, condition);
  const conditions: Conditions = {
    ...(condition === 'absent' ? { ifNoneMatch: ['*'] } : {}),
    ...(condition === 'same' ? { ifMatch: [latest(model, key)?.etag ?? 'x'] } : {}),
    ...(condition === 'other' ? { ifMatch: ['0'.repeat(32)] } : {}),
  };
  const attributes = { contentType, headers: {}, metadata: {} };
  const isExcused = isExcusedBy(pair.lab, isStream);
  const writing = put(pair.lab, bucket, key, isStream ? inChunks(bytes) : bytes, { sizeBytes, conditions, attributes });
  const made = await writing.catch((error: unknown) => error);
  if (refused !== null) return assert.equal(s3CodeOf(made), refused);
  if (made instanceof Error) return requireExcuse(made, isExcused);
  const { versionId, etag } = made as ObjectVersion;
  assert.equal(etag, md5(bytes));
  place(model, key, {
    versionId: namedAsExpected(model, versionId),
    isMarker: false,
    bytes,
    etag,
    contentType,
    tags: {},
  });
}

async function runCopy(pair: Pair, command: ObjectCommand & { do: 'copy' }, model: ModelBucket): Promise<void> {
  const source = latest(model, command.key);
  const { to } = command;
  const copied = copy(pair.lab, [command.bucket, command.key], [to.bucket, to.key]);
  if (source === null) return assert.equal(await copied.then(() => null, s3CodeOf), 'NoSuchKey');
  const { versionId, etag } = await copied;
  // What is written anew has the ETag of an object that is whole.
  assert.ok(etag === source.etag || etag === md5(source.bytes));
  const target = pair.buckets.get(to.bucket)!;
  place(target, to.key, { ...source, versionId: namedAsExpected(target, versionId), etag });
}

async function runUpload(
  { lab, buckets, uploads }: Pair,
  command: Command & { do: 'part' | 'complete' | 'abort' },
  step: number,
): Promise<void> {
  if (uploads.length === 0) return;
  const at = command.index % uploads.length;
  const { upload, parts } = uploads[at]!;
  if (command.do === 'part') {
    const bytes = bytesOf(command.sizeBytes, step);
    const isExcused = isExcusedBy(lab, false);
    const part = await putPart(lab, upload, command.number, bytes).catch((error: unknown) => error as Error);
    if (part instanceof Error) requireExcuse(part, isExcused);
    else parts.set(command.number, { part, bytes });
    return;
  }
  if (command.do === 'complete') {
    // All parts up to the first small one, which may be the last.
    const chosen = [...parts.values()].toSorted((a, b) => a.part.part - b.part.part);
    const small = chosen.findIndex(({ bytes }) => bytes.length < largeBytes);
    if (small >= 0) chosen.length = small + 1;
    if (chosen.length === 0) return;
    const { versionId, etag } = await complete(
      lab,
      upload,
      chosen.map(({ part }) => part),
    );
    const all = chosen.map(({ bytes }) => bytes);
    assert.equal(etag, partsEtag(all));
    const model = buckets.get(upload.bucket)!;
    const rest = { isMarker: false, bytes: Buffer.concat(all), etag, contentType: 'text/plain', tags: {} };
    place(model, upload.key, { versionId: namedAsExpected(model, versionId), ...rest });
  } else {
    await lab.gateway.uploads.abort(upload, 'tester');
  }
  uploads.splice(at, 1);
}

/**
 * Whether faults that wait on backends may be too many for a write: a stream is sent once, to two backends, and one of them
 * is enough; what is in a buffer is sent to the third one too.
 */
function isExcusedBy({ backends }: Lab, isStream: boolean): boolean {
  return backends.filter(({ backend }) => backend.faults.length > 0).length >= (isStream ? 2 : 3);
}

/** A write that was refused has changed nothing, and so the model is not changed either. */
function requireExcuse(error: Error, isExcused: boolean): void {
  const code = s3CodeOf(error);
  if (!isExcused || (code !== 'ServiceUnavailable' && code !== 'InsufficientStorage')) throw error;
}

/** A version id of a new version, which must be new where versions are kept and `null` elsewhere. */
function namedAsExpected(bucket: ModelBucket, versionId: string): string {
  const known = [...bucket.keys.values()].flat().some((version) => version.versionId === versionId);
  if (bucket.versioning === 'enabled') assert.ok(versionId !== 'null' && !known);
  else assert.equal(versionId, 'null');
  return versionId;
}
