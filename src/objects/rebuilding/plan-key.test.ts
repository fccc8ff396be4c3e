import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ObjectRow } from '../tables.ts';
import type { DescribedContent } from './describe-blob.ts';
import { planKey } from './plan-key.ts';

const minuteMs = 60_000;

function row(more: Partial<ObjectRow> = {}): ObjectRow {
  const identity = { bucket: 'b', object_key: 'k', version_id: 'null', seq: 1, is_latest: 1, is_marker: 0 };
  const bytes = {
    content_id: 'c-old',
    size_bytes: 3,
    etag: 'e',
    attributes: '{}',
    tags: '{"a":"b"}',
    lock_state: null,
  };
  return {
    ...identity,
    ...bytes,
    owner: 'o',
    modified_at: 10 * minuteMs,
    noncurrent_at: null,
    storage_class: 'STANDARD',
    ...more,
  };
}

function content(contentId: string, atMs: number, id?: string): DescribedContent {
  const attributes = { contentType: 't', headers: {}, metadata: {}, checksums: [] };
  const place = { contentId, part: 1, bucket: 'b', key: 'k', sizeBytes: 3, md5: '0', crc32: 0, attributes };
  const version = id === undefined ? null : { id, owner: 'o' };
  return { ...place, createdAtMs: atMs, standsAtMs: atMs, version };
}

const all = { owner: 'bucket-owner', isComplete: () => true };
const ids = (rows: readonly ObjectRow[]) => rows.map((one) => one.content_id);

describe('the versions that a key is to have', () => {
  test('are those of the backup, and of the blobs that came after it', () => {
    const contents = [content('c-deleted', 5 * minuteMs, 'null'), content('c-new', 30 * minuteMs, 'null')];
    const plan = planKey({ ...all, versions: [row()], contents, asOfMs: 20 * minuteMs });
    assert.deepEqual(ids(plan.versions), ['c-new']);
    assert.deepEqual(plan.doubtful, ['null']);
  });

  test('without a backup are the newest of those that had no versions, and all of the others', () => {
    const contents = [
      content('c-3', 3, 'v-3'),
      content('c-1', 1, 'null'),
      content('c-2', 2, 'null'),
      content('c-0', 0, 'v-0'),
    ];
    const plan = planKey({ ...all, versions: [], contents, asOfMs: null });
    assert.deepEqual(ids(plan.versions), ['c-0', 'c-2', 'c-3']);
    assert.deepEqual(plan.doubtful, []);
  });

  test('keep what the backup tells of one whose bytes were written in another form', () => {
    const rewritten = { ...content('c-form', 10 * minuteMs, 'null'), standsAtMs: 30 * minuteMs };
    const isComplete = (id: string) => id === 'c-form';
    const plan = planKey({ ...all, versions: [row()], contents: [rewritten], asOfMs: 20 * minuteMs, isComplete });
    assert.deepEqual(ids(plan.versions), ['c-form']);
    assert.equal(plan.versions[0]!.tags, '{"a":"b"}');
    assert.deepEqual([plan.doubtful, plan.lost], [[], []]);
  });

  test('have one latest, numbers in order, and none of which bytes are missing', () => {
    const kinds = fc.record({ id: fc.nat(6), at: fc.nat(100), isThere: fc.boolean(), isMarker: fc.boolean() });
    const property = fc.property(fc.array(kinds), fc.array(kinds), fc.option(fc.nat(100)), (old, fresh, asOf) => {
      const versions = [...new Map(old.map((one) => [one.id, one])).values()].map((one, index) => {
        const contentId = one.isMarker ? null : `c-${one.isThere}-old-${index}`;
        return row({
          version_id: `v-${one.id}`,
          is_marker: one.isMarker ? 1 : 0,
          content_id: contentId,
          seq: index + 1,
        });
      });
      const contents = fresh.map((one, index) =>
        content(`c-${one.isThere}-${index}`, one.at * minuteMs, `v-${one.id}`),
      );
      const isComplete = (id: string) => id.startsWith('c-true');
      const asOfMs = asOf === null ? null : asOf * minuteMs;
      const plan = planKey({ versions, contents, asOfMs, owner: 'o', isComplete });
      assert.deepEqual(
        plan.versions.map(({ seq }) => seq),
        plan.versions.map((_, index) => index + 1),
      );
      assert.equal(new Set(plan.versions.map((one) => one.version_id)).size, plan.versions.length);
      for (const [index, one] of plan.versions.entries()) {
        const isLast = index === plan.versions.length - 1;
        assert.deepEqual([one.is_latest, one.noncurrent_at === null], [isLast ? 1 : 0, isLast]);
        assert.ok(one.is_marker === 1 || isComplete(one.content_id!));
      }
    });
    fc.assert(property);
  });
});
