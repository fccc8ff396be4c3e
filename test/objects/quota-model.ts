import assert from 'node:assert/strict';
import fc from 'fast-check';
import { s3CodeOf } from '../../src/objects/errors.ts';
import { findBook } from '../../src/objects/quotas/queries.ts';
import type { Upload } from '../../src/objects/object.ts';
import { put } from './acts.ts';
import type { Lab } from './lab.ts';

/** What stands, as a list that anybody can add up. */
interface Model {
  versions: readonly ModelVersion[];
  uploads: readonly ModelUpload[];
}

interface ModelVersion {
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string;
  readonly owner: string;
  readonly sizeBytes: number;
  readonly isMarker: boolean;
}

interface ModelUpload {
  readonly upload: Upload;
  readonly parts: ReadonlyMap<number, { readonly sizeBytes: number; readonly etag: string }>;
}

const where = {
  gateway: fc.nat({ max: 1 }),
  bucket: fc.constantFrom('plain', 'kept'),
  key: fc.constantFrom('a', 'b', 'c'),
};
const owner = fc.constantFrom('a', 'b');
const sizeBytes = fc.constantFrom(0, 100, 300, 700);
const index = fc.nat({ max: 3 });

export type QuotaCommand = { readonly gateway: number } & (
  | {
      readonly do: 'put';
      readonly bucket: string;
      readonly key: string;
      readonly owner: string;
      readonly sizeBytes: number;
    }
  | { readonly do: 'remove'; readonly bucket: string; readonly key: string }
  | { readonly do: 'drop'; readonly index: number }
  | {
      readonly do: 'copy';
      readonly index: number;
      readonly bucket: string;
      readonly key: string;
      readonly owner: string;
    }
  | { readonly do: 'begin'; readonly bucket: string; readonly key: string; readonly owner: string }
  | { readonly do: 'part'; readonly index: number; readonly part: number; readonly sizeBytes: number }
  | { readonly do: 'complete'; readonly index: number; readonly owner: string }
  | { readonly do: 'abort'; readonly index: number }
);

const { gateway } = where;

/** Random things that clients do, on one of two gateways each. */
export const quotaCommands: fc.Arbitrary<QuotaCommand[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), ...where, owner, sizeBytes }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), ...where }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const), gateway, index }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('copy' as const), ...where, index, owner }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('begin' as const), ...where, owner }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('part' as const),
        gateway,
        index,
        part: fc.constantFrom(1, 2),
        sizeBytes,
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('complete' as const), gateway, index, owner }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('abort' as const), gateway, index }) },
  ),
  { minLength: 10, maxLength: 35 },
);

/**
 * Does each command on the gateways and on the model, and something `between` them; every answer, and the books after it, must
 * be the model's.
 */
export async function runQuotaCommands(
  labs: readonly Lab[],
  run: string,
  commands: readonly QuotaCommand[],
  between: () => Promise<void> = async () => {},
): Promise<void> {
  let model: Model = { versions: [], uploads: [] };
  for (const command of commands) {
    await between();
    const lab = labs[command.gateway]!;
    const step = stepOf(lab, run, model, command);
    if (step === null) continue;
    const isRefused = passes(run, model, step.next);
    let made: Made = {};
    try {
      made = (await step.act()) ?? {};
      assert.equal(isRefused, false, `${JSON.stringify(command)} was taken`);
      model = step.finish(made);
    } catch (error) {
      if (s3CodeOf(error) !== 'QuotaExceeded') throw error;
      assert.equal(isRefused, true, `${JSON.stringify(command)} was refused`);
    }
    for (const [subject] of limitsOf(run)) {
      const book = (await lab.store.read((reader) => findBook(reader, subject)))!;
      assert.deepEqual([book.usedBytes, book.usedObjects], sumOf(model, subject), `${subject} after ${command.do}`);
    }
  }
}

interface Made {
  readonly versionId?: string;
  readonly upload?: Upload;
  readonly etag?: string;
}

interface Step {
  act(): Promise<Made | undefined>;
  /** What stands when it is taken. */
  readonly next: Model;
  /** The same with what only the answer tells. */
  finish(made: Made): Model;
}

function stepOf(lab: Lab, run: string, model: Model, command: QuotaCommand): Step | null {
  const step = (act: Step['act'], build: (made: Made) => Model): Step => ({ act, next: build({}), finish: build });
  const nth = <T>(items: readonly T[], at: number): T | undefined => items[at % Math.max(1, items.length)];
  const { versions, uploads } = model;
  switch (command.do) {
    case 'put': {
      const [bucket, actor] = [`${run}-${command.bucket}`, `${run}-${command.owner}`];
      const { key } = command;
      return step(
        () => put(lab, bucket, key, Buffer.alloc(command.sizeBytes), { actor }),
        ({ versionId = '?' }) =>
          placed(model, { bucket, key, versionId, owner: actor, sizeBytes: command.sizeBytes, isMarker: false }),
      );
    }
    case 'remove': {
      const bucket = `${run}-${command.bucket}`;
      const { key } = command;
      const options = { actor: 'tester', conditions: {}, bypassGovernance: false };
      const act = async () => {
        const { versionId } = await lab.gateway.objects.remove({ bucket, key }, options);
        return versionId === null ? undefined : { versionId };
      };
      if (command.bucket === 'plain') {
        return step(act, () => ({
          ...model,
          versions: versions.filter((one) => one.bucket !== bucket || one.key !== key),
        }));
      }
      return step(act, ({ versionId = '?' }) =>
        placed(model, { bucket, key, versionId, owner: 'tester', sizeBytes: 0, isMarker: true }),
      );
    }
    case 'drop': {
      const version = nth(versions, command.index);
      if (version === undefined) return null;
      const { bucket, key, versionId } = version;
      const options = { actor: 'tester', conditions: {}, bypassGovernance: false };
      return step(
        async () => void (await lab.gateway.objects.remove({ bucket, key, versionId }, options)),
        () => ({ ...model, versions: versions.filter((one) => one !== version) }),
      );
    }
    case 'copy':
      return copyStep(lab, run, model, command);
    case 'begin':
    case 'part':
    case 'complete':
    case 'abort':
  }
  return uploadStep(lab, run, model, command, nth(uploads, 'index' in command ? command.index : 0));
}

function copyStep(lab: Lab, run: string, model: Model, command: QuotaCommand & { do: 'copy' }): Step | null {
  const sources = model.versions.filter(({ isMarker }) => !isMarker);
  const source = sources[command.index % Math.max(1, sources.length)];
  if (source === undefined) return null;
  const [bucket, actor] = [`${run}-${command.bucket}`, `${run}-${command.owner}`];
  const { key } = command;
  const next = ({ versionId = '?' }: Made) => placed(model, { ...source, bucket, key, versionId, owner: actor });
  const act = () =>
    lab.gateway.objects.copy({
      source: { bucket: source.bucket, key: source.key, versionId: source.versionId },
      sourceConditions: {},
      bucket,
      key,
      attributes: null,
      tags: null,
      lock: null,
      conditions: {},
      actor,
      signal: AbortSignal.timeout(30_000),
    });
  return { act, next: next({}), finish: next };
}

function uploadStep(
  lab: Lab,
  run: string,
  model: Model,
  command: QuotaCommand & { do: 'begin' | 'part' | 'complete' | 'abort' },
  open: ModelUpload | undefined,
): Step | null {
  const { uploads } = lab.gateway;
  const others = model.uploads.filter((one) => one !== open);
  if (command.do === 'begin') {
    const [bucket, by] = [`${run}-${command.bucket}`, `${run}-${command.owner}`];
    const rest = { attributes: { contentType: '', headers: {}, metadata: {} }, tags: {}, lock: null, checksum: null };
    return {
      act: async () => ({ upload: await uploads.create({ bucket, key: command.key, owner: by, ...rest }) }),
      next: model,
      finish: ({ upload }) => ({ ...model, uploads: [...model.uploads, { upload: upload!, parts: new Map() }] }),
    };
  }
  if (open === undefined) return null;
  const { upload, parts } = open;
  if (command.do === 'abort') {
    const next = { ...model, uploads: others };
    return { act: async () => void (await uploads.abort(upload, 'tester')), next, finish: () => next };
  }
  if (command.do === 'part') {
    const { part, sizeBytes: size } = command;
    const content = { content: Buffer.alloc(size), sizeBytes: size, signal: AbortSignal.timeout(30_000) };
    const finish = ({ etag = '' }: Made): Model => {
      const changed = new Map([...parts, [part, { sizeBytes: size, etag }]]);
      return { ...model, uploads: model.uploads.map((one) => (one === open ? { upload, parts: changed } : one)) };
    };
    return { act: () => uploads.putPart(upload, part, content, 'tester'), next: finish({}), finish };
  }
  // Of small parts an object can have only one; the others are let go.
  const [number, last] = [...parts].at(-1) ?? [];
  if (number === undefined || last === undefined) return null;
  const actor = `${run}-${command.owner}`;
  const { bucket, key, uploadId } = upload;
  const request = { bucket, key, uploadId, parts: [{ part: number, etag: last.etag }], conditions: {}, actor };
  const finish = ({ versionId = '?' }: Made) =>
    placed(
      { ...model, uploads: others },
      { bucket, key, versionId, owner: actor, sizeBytes: last.sizeBytes, isMarker: false },
    );
  return { act: () => uploads.complete(request), next: finish({}), finish };
}

function placed(model: Model, version: ModelVersion): Model {
  const isPlain = version.bucket.endsWith('-plain');
  const kept = model.versions.filter(({ bucket, key }) => !isPlain || bucket !== version.bucket || key !== version.key);
  return { ...model, versions: [...kept, version] };
}

function limitsOf(run: string): readonly (readonly [string, number, number])[] {
  const none = Number.POSITIVE_INFINITY;
  return [
    [`bucket:${run}-plain`, 1_000, 3],
    [`bucket:${run}-kept`, 1_500, none],
    [`user:${run}-a`, 1_800, none],
  ];
}

/** Whether something grows beyond a limit. */
function passes(run: string, before: Model, after: Model): boolean {
  return limitsOf(run).some(([subject, bytesMax, objectsMax]) => {
    const [bytesBefore, objectsBefore] = sumOf(before, subject);
    const [bytes, objects] = sumOf(after, subject);
    return (bytes > bytesBefore && bytes > bytesMax) || (objects > objectsBefore && objects > objectsMax);
  });
}

function sumOf({ versions, uploads }: Model, subject: string): readonly [number, number] {
  const isOf = (one: { readonly bucket: string; readonly owner: string }) =>
    subject === `bucket:${one.bucket}` || subject === `user:${one.owner}`;
  const counted = versions.filter((one) => isOf(one) && !one.isMarker);
  const parts = uploads.filter(({ upload }) => isOf(upload)).flatMap((one) => [...one.parts.values()]);
  return [[...counted, ...parts].reduce((sum, one) => sum + one.sizeBytes, 0), counted.length];
}
