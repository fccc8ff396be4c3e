import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { newQmpId } from './names.ts';
import { unpublish } from './nodes.ts';
import { QmpConnection } from './qmp/connection.ts';
import { TestMonitor } from './qmp/test-monitor.ts';

const named = { exportId: 'exp-1', volumeId: 'vol-1', generation: 1, readOnly: false };

test('events of an earlier export: its end is not taken for the end of the one that has its name now', async () => {
  await using temporary = await temporaryDirectory();
  const [earlier, now] = [newQmpId(named), newQmpId(named)];
  assert.notEqual(earlier, now, 'each life has an id of its own');
  const asked: string[] = [];
  let questions = 0;
  const monitor = await TestMonitor.start(temporary.path, (request, self) => {
    asked.push(request.execute);
    if (request.execute === 'block-export-del') {
      // The late news of an earlier life, as when clients of it were slow to be cut.
      self.say({ event: 'BLOCK_EXPORT_DELETED', data: { id: earlier }, timestamp: {} });
      return { return: {} };
    }
    questions += 1;
    const isGone = questions > 3;
    if (questions === 3) setTimeout(() => self.say({ event: 'BLOCK_EXPORT_DELETED', data: { id: now } }), 1);
    return { return: isGone ? [] : [{ id: now, type: 'nbd', 'node-name': 'ht', 'shutting-down': true }] };
  });
  try {
    const qmp = await QmpConnection.open(monitor.path, AbortSignal.timeout(10_000));
    const found = { qmpId: now, exportId: 'exp-1', isClosing: false };
    await unpublish(qmp, found, true, AbortSignal.timeout(10_000));
    // It went on asking until the daemon itself said that this one is gone.
    const expected = ['block-export-del', ...Array.from({ length: 4 }, () => 'query-block-exports')];
    assert.deepEqual(asked, expected);
    qmp.close();
  } finally {
    await monitor.stop();
  }
});

test('an export that never goes is not waited for beyond the deadline', async () => {
  await using temporary = await temporaryDirectory();
  const qmpId = newQmpId(named);
  const left = [{ id: qmpId, type: 'nbd', 'node-name': 'ht', 'shutting-down': true }];
  const monitor = await TestMonitor.start(temporary.path, ({ execute }) => {
    return { return: execute === 'query-block-exports' ? left : {} };
  });
  try {
    const qmp = await QmpConnection.open(monitor.path, AbortSignal.timeout(10_000));
    const call = unpublish(qmp, { qmpId, exportId: 'exp-1', isClosing: true }, true, AbortSignal.timeout(200));
    await assert.rejects(call, { kind: 'unavailable' });
    assert.ok(!monitor.requests.some(({ execute }) => execute === 'block-export-del'), 'it was closing already');
    qmp.close();
  } finally {
    await monitor.stop();
  }
});
