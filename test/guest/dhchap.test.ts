import { after, before, test } from 'node:test';
import { type Guest, bootGuest } from '../support/guest/guest.ts';
import { nodeArgs } from './node-args.ts';
import { testsInside, withGuest } from '../support/guest/with-guest.ts';

/** The tests themselves are in `dhchap.inside.ts`. */
const TESTS_INSIDE = 4;

withGuest(
  'NVMe/TCP exports with DH-HMAC-CHAP on a real kernel',
  () => {
    let guest: Guest;
    before(async () => {
      guest = await bootGuest({ kernel: 'auth', modules: ['nvmet-tcp', 'nvme-tcp'] });
    });
    after(() => guest[Symbol.asyncDispose]());

    test('who has the keys is let in, and nobody else', () =>
      testsInside(guest, 'test/guest/dhchap.inside.ts', TESTS_INSIDE, { nodeArgs }));
  },
  'auth',
);
