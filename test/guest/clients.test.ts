/** Clients of exports on a newer kernel than the stock one: with keys over NVMe/TCP, and over NBD while the server is away. */
import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { at, newSpec } from '../../src/volumes/exports/conformance/suite.ts';
import { createNbdTarget } from '../../src/volumes/exports/nbd/nbd.ts';
import { newFile } from '../../src/volumes/exports/nbd/testkit.ts';
import type { LiveExport } from '../../src/volumes/exports/target.ts';
import { type Guest, bootGuest } from '../support/guest/guest.ts';
import { testsInside, withGuest } from '../support/guest/with-guest.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { until } from '../support/wait.ts';
import { nodeArgs } from './node-args.ts';

/** The tests themselves are in `dhchap.inside.ts`. */
const TESTS_INSIDE = 4;
/** The address of the host in a guest. */
const advertisedHost = '10.0.2.2';
const ports = { first: 23_920, last: 23_929 };

withGuest(
  'clients of exports on a real kernel',
  () => {
    let guest: Guest;
    before(async () => {
      guest = await bootGuest({ kernel: 'auth', modules: ['nvmet-tcp', 'nvme-tcp', 'loop', 'nbd'] });
    });
    after(() => guest[Symbol.asyncDispose]());

    test('over NVMe/TCP who has the keys is let in, and nobody else', () =>
      testsInside(guest, 'test/guest/dhchap.inside.ts', TESTS_INSIDE, { nodeArgs }));

    test('over NBD a disk with a key waits for a server that was killed, and has what was written meanwhile', async () => {
      await using directory = await temporaryDirectory();
      const source = await newFile(directory.path, 4n * 1024n * 1024n);
      const tls = { identity: 'exp-kept', keyHex: '5a'.repeat(32) };
      const spec = newSpec(source, { tls });
      const runDirectory = join(directory.path, 'run');
      let lost = 0;
      const target = createNbdTarget({ advertisedHost, ports, runDirectory, onLost: () => lost++ });
      const later = createNbdTarget({ advertisedHost, ports, runDirectory });
      try {
        const live = await target.add(at(), spec);
        await guest.run(`mkdir -p /run/lock && echo ${tls.identity}:${tls.keyHex} >/scratch/keys.psk`);
        await guest.run(commandOf(live, 'attach over restarts'), { cwd: '/scratch' });
        await until('the disk has its size', async () =>
          (await guest.run('cat /sys/block/nbd0/size')).trim() === '8192' ? true : null,
        );
        const fill = (letter: string) =>
          `head -c 65536 /dev/zero | tr '\\0' ${letter} | dd of=/dev/nbd0 bs=64k oflag=direct conv=fsync status=none`;
        await guest.run(fill('a'));
        const { detail } = await target.health(at().signal);
        process.kill(Number(/process (\d+)/.exec(detail)?.[1]), 'SIGKILL');
        await until('the loss is told', () => lost === 1);
        const writing = guest.start(`${fill('b')} && echo written`);
        await writing.pid;
        // Another process has begun, and knows nothing but what is on record.
        await later.add(at(), { ...spec, preferredPort: live.connection.port });
        const { stdout, stderr } = await writing.ended;
        assert.equal(stdout, 'written\n', stderr);
        await using file = await open(source.path);
        const { buffer } = await file.read(Buffer.alloc(65_536), 0, 65_536, 0);
        assert.ok(buffer.equals(Buffer.alloc(65_536, 'b')));
        await guest.run(commandOf(live, 'detach'));
      } finally {
        await Promise.all([target.close(), later.close()]);
      }
    });
  },
  'auth',
);

function commandOf({ connection }: LiveExport, purpose: string): string {
  return connection.commands.find((each) => each.purpose === purpose)!.command;
}
