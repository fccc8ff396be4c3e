import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { openFresh, onEveryStore } from '../../../test/support/stores.ts';
import { createIdSource, systemClock } from '../../kernel/ids.ts';
import { backendMigrations } from '../backends/test-backends.ts';
import { UsageBook } from '../backends/usage.ts';
import { quotasMigration } from '../migrations/0015_quotas.ts';
import { QuotaPicture } from '../quotas/picture.ts';
import { subjectLedger } from '../quotas/subject-usage.ts';
import { Traffic } from '../quotas/traffic.ts';
import { until } from '../../../test/support/wait.ts';
import { openStage } from './test-stage.ts';

onEveryStore('the traffic of S3 clients', (engine) => {
  test('is counted for the bucket and for who asked, body by body, and never what strangers send', async () => {
    const store = await openFresh(engine, [...backendMigrations, quotasMigration]);
    const onError = (error: unknown) => assert.fail(String(error));
    const shared = { store, clock: systemClock, newId: createIdSource(), onError };
    const usage = new UsageBook({ ...shared, ledger: subjectLedger });
    const traffic = new Traffic(usage, new QuotaPicture(store), systemClock);
    {
      await using at = await openStage({ traffic });
      const of = (subject: string) => {
        const { requests, ingressBytes, egressBytes } = usage.total(subject);
        return [requests, ingressBytes, egressBytes];
      };
      // What is sent is counted when its exchange has ended, which the client does not wait for.
      const counts = async (expected: readonly number[]) =>
        until(`${expected.join(' ')}, not ${of('bucket:box').join(' ')}`, () => {
          const told = of('bucket:box');
          return told.every((value, index) => value === expected[index]);
        });
      assert.equal((await at.ask('PUT', '/box')).status, 200);
      assert.equal((await at.ask('PUT', '/box/k', { body: Buffer.alloc(1_000) })).status, 200);
      await counts([1, 1_000, 0]);
      assert.equal((await at.ask('GET', '/box/k')).status, 200);
      assert.equal((await at.ask('GET', '/box/k', { headers: { range: 'bytes=0-9' } })).status, 206);
      assert.equal((await at.ask('HEAD', '/box/k')).status, 200);
      await counts([4, 1_000, 1_010]);
      const body = '<Delete><Quiet>true</Quiet><Object><Key>k</Key></Object></Delete>';
      const md5 = createHash('md5').update(body).digest('base64');
      const strangers = [
        await at.ask('GET', '/box/k', { as: null }),
        await at.ask('PUT', '/box/x', { as: null, body: 'x' }),
        await at.ask('POST', '/box?delete', { as: null, body, headers: { 'content-md5': md5 } }),
        await at.ask('POST', '/box', {
          as: null,
          headers: { 'content-type': 'multipart/form-data; boundary=b' },
          body: '--b\r\ncontent-disposition: form-data; name="key"\r\n\r\nx\r\n--b\r\ncontent-disposition: form-data; name="file"\r\n\r\nxx\r\n--b--\r\n',
        }),
      ];
      assert.deepEqual(
        strangers.map(({ status }) => status),
        [403, 403, 200, 403],
      );
      assert.match(strangers[2]!.text, /AccessDenied/);
      const deleted = await at.ask('POST', '/box?delete', { body, headers: { 'content-md5': md5 } });
      assert.equal(deleted.status, 200);
      await counts([5, 1_000 + body.length, 1_010 + deleted.body.length]);
      const users = await at.world.store.read((reader) => reader.rows<{ id: string }>('select id from users', []));
      const [requests, ...bytes] = of('bucket:box');
      assert.deepEqual(of(`user:${users[0]!.id}`), [requests! + 1, ...bytes], 'making the bucket as well');
    }
    await usage.close();
    await store.close();
  });
});
