import { after, before, test } from 'node:test';
import { type Guest, bootGuest } from '../support/guest/guest.ts';
import { testsInside, withGuest } from '../support/guest/with-guest.ts';

withGuest('the NBD connections of CSI nodes on a real kernel', () => {
  let guest: Guest;
  before(async () => void (guest = await bootGuest({ modules: ['nbd'] })));
  after(() => guest[Symbol.asyncDispose]());

  test('what becomes of a connection', () => testsInside(guest, 'test/csi/nbd-connection.inside.ts', 1));
});
