import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { verifyRequest } from '../../../../test/support/cloudstack/signature.ts';
import { signatureOf, signedRequest } from './signing.ts';

const credentials = { apiKey: 'fnord', secretKey: 'abracadabra' };
const minuteMs = 60_000;

describe('the signature of a request', () => {
  // The vectors of Apache Libcloud's tests (libcloud/test/common/test_cloudstack.py).
  const deploy = {
    command: 'deployVirtualMachine',
    name: 'fred',
    serviceofferingid: '5',
    templateid: '17',
    zoneid: '23',
    networkids: '42',
  };
  const vectors: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ['z/a9Y7J52u48VpqIgiwaGUMCso0=', { command: 'listVirtualMachines' }],
    ['gHTo7mYmadZ+zluKHzlEKb1i/QU=', { ...deploy, displayname: 'George' }],
    ['tAgfrreI1ZvWlWLClD3gu4+aKv4=', { ...deploy, displayname: 'George+Ringo' }],
  ];
  for (const [signature, parameters] of vectors) {
    it(`is ${signature} for ${Object.values(parameters).join(' ')}`, () => {
      const all = { ...parameters, apikey: credentials.apiKey, response: 'json' };
      assert.equal(signatureOf(all, credentials.secretKey), signature);
    });
  }

  const name = fc.stringMatching(/^[a-z][a-z0-9[\].]{0,15}$/);
  const value = fc.string({ unit: fc.constantFrom(...Array.from(" !'()*~+-_.%&=/[]aZ9\nö字😀"), '\ud800') });
  const parameters = fc.dictionary(name, value, { maxKeys: 8 });

  it('is the one that the server computes, whatever the values are', () => {
    fc.assert(
      fc.property(parameters, (given) => {
        const form = signedRequest(given, credentials, Date.now() + minuteMs);
        verifyRequest(new Map(new URLSearchParams(form.toString())), credentials.apiKey, credentials.secretKey);
      }),
    );
  });

  it('does not depend on the order of the parameters', () => {
    fc.assert(
      fc.property(parameters, (given) => {
        const turned = Object.fromEntries(Object.entries(given).toReversed());
        assert.equal(signatureOf(turned, 's'), signatureOf(given, 's'));
      }),
    );
  });

  it('is another for every change of a value but that of its case, and for another secret', () => {
    fc.assert(
      fc.property(parameters, name, value, value, (given, key, before, after) => {
        fc.pre(before.toWellFormed().toLowerCase() !== after.toWellFormed().toLowerCase());
        const signature = signatureOf({ ...given, [key]: before }, 's');
        assert.notEqual(signatureOf({ ...given, [key]: after }, 's'), signature);
        assert.notEqual(signatureOf({ ...given, [key]: before }, 'S'), signature);
      }),
    );
  });

  it('is refused for names that the server would sort in another way', () => {
    assert.throws(() => signatureOf({ zoneId: '1' }, 's'), /zoneId is not in lower case/);
  });

  it('is good for a time, in the form that the server reads', () => {
    const form = signedRequest({ command: 'listZones' }, credentials, Date.UTC(2026, 10, 21, 10, 5, 7, 999));
    assert.equal(form.get('expires'), '2026-11-21T10:05:07+0000');
    assert.equal(form.get('signatureversion'), '3');
    assert.equal(form.get('response'), 'json');
  });
});

describe('the simulated server', () => {
  const check = (form: URLSearchParams) => verifyRequest(new Map(form), credentials.apiKey, credentials.secretKey);

  it('refuses what is expired, good for too long, changed, or signed by another', () => {
    const good = () => signedRequest({ command: 'listZones' }, credentials, Date.now() + minuteMs);
    check(good());
    const changed = good();
    changed.set('command', 'deleteVolume');
    const unsigned = good();
    unsigned.delete('signature');
    const wrong = [
      signedRequest({ command: 'listZones' }, credentials, Date.now() - minuteMs),
      signedRequest({ command: 'listZones' }, credentials, Date.now() + 16 * minuteMs),
      signedRequest({ command: 'listZones' }, { ...credentials, secretKey: 'other' }, Date.now() + minuteMs),
      signedRequest({ command: 'listZones' }, { ...credentials, apiKey: 'other' }, Date.now() + minuteMs),
      changed,
      unsigned,
    ];
    for (const form of wrong) assert.throws(() => check(form), /unable to verify user credentials/);
  });
});
