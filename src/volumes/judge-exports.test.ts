import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ExportState } from './export.ts';
import type { ExportsReport, ReportedExport } from './exports/work.ts';
import { type WantedExport, judgeExports } from './judge-exports.ts';
import type { AttachmentState } from './volume.ts';

const connection = { uri: 'nbd://h:1/v', host: 'h', port: 1, name: 'v', commands: [] };

function wanted(id: string, state: ExportState, attachmentState: AttachmentState = 'attached'): WantedExport {
  return {
    id,
    volumeId: `vol-${id}`,
    attachmentId: `att-${id}`,
    generation: 3,
    host: 'h',
    transport: 'nbd',
    mode: 'rw',
    allowedHosts: [],
    sealedSecret: null,
    state,
    reason: null,
    connection,
    createdAtMs: 0,
    removedAtMs: null,
    attachmentState,
  };
}

function live(exportId: string, parts: Partial<ReportedExport> = {}): ReportedExport {
  const facts = { sizeBytes: '1', isStale: false, isClosing: false, connection };
  return { transport: 'nbd', exportId, volumeId: `vol-${exportId}`, generation: 3, ...facts, ...parts };
}

function verdicts(on: readonly WantedExport[], report: ExportsReport): string[] {
  return judgeExports(on, report).map((each) =>
    each.action === 'remove' ? `remove ${each.live.exportId}` : `${each.action} ${each.exportId}`,
  );
}

describe('what a host exports against what is on record', () => {
  it('is well when both say the same', () => {
    assert.deepEqual(verdicts([wanted('a', 'active')], { nbd: [live('a')] }), []);
    assert.deepEqual(verdicts([wanted('a', 'lost')], { nbd: [live('a')] }), ['confirm a']);
  });

  it('is made again when it is gone, of another generation, of another volume, or over a replaced file', () => {
    assert.deepEqual(verdicts([wanted('a', 'active')], { nbd: [] }), ['repair a']);
    assert.deepEqual(verdicts([wanted('a', 'failed')], { nbd: [] }), ['repair a']);
    for (const other of [{ generation: 2 }, { volumeId: 'vol-b' }, { isStale: true }]) {
      assert.deepEqual(verdicts([wanted('a', 'active')], { nbd: [live('a', other)] }), ['repair a']);
    }
  });

  it('is removed when nobody has it on record, before anything is made in its place', () => {
    assert.deepEqual(verdicts([wanted('a', 'active')], { nbd: [live('z')] }), ['remove z', 'repair a']);
  });

  it('is retired when its attachment is over, whatever the host says', () => {
    assert.deepEqual(verdicts([wanted('a', 'active', 'detached')], { nbd: [live('a')] }), ['retire a']);
    assert.deepEqual(verdicts([wanted('a', 'failed', 'failed')], { nbd: null }), ['retire a']);
  });

  it('is not judged while an operation is at work on it, or while the host cannot be asked', () => {
    assert.deepEqual(verdicts([wanted('a', 'pending'), wanted('b', 'removing')], { nbd: [] }), []);
    assert.deepEqual(verdicts([wanted('a', 'active')], { nbd: null }), []);
    assert.deepEqual(verdicts([wanted('a', 'active')], {}), []);
    assert.deepEqual(verdicts([wanted('a', 'active', 'attaching')], { nbd: [] }), []);
  });
});
