import { after, before, test } from 'node:test';
import { type Guest, bootGuest } from '../support/guest/guest.ts';
import { testsInside, withGuest } from '../support/guest/with-guest.ts';
import { nodeArgs } from './node-args.ts';
import { type PackedCheckout, packCheckout } from './packed-checkout.ts';

/**
 * The tests themselves are in `end-to-end.inside.ts`. Under emulation they take minutes, so they run by `npm run test:slow`.
 */
const TESTS_INSIDE = 9;
const insideTimeoutMs = 390_000;

withGuest('volumes as their users have them, on a real kernel', () => {
  let guest: Guest;
  let packed: PackedCheckout;
  before(async () => {
    packed = await packCheckout();
    guest = await bootGuest({ modules: ['nvmet-tcp', 'nvme-tcp', 'loop', 'nbd'] });
    await packed.unpackIn(guest);
  });
  after(async () => {
    await guest[Symbol.asyncDispose]();
    await packed[Symbol.asyncDispose]();
  });

  // Most of the time goes into starting programs under emulation; beside other tests that takes several times as long.
  test('the server, killed and started again, and what is mounted', { timeout: insideTimeoutMs + 10_000 }, () =>
    testsInside(guest, 'test/guest/end-to-end.inside.ts', TESTS_INSIDE, { nodeArgs, timeoutMs: insideTimeoutMs }),
  );
});
