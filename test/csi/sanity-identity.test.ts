/** The checks of csi-sanity (kubernetes-csi/csi-test, pkg/sanity) on the identity service, by their names there. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Reply } from './calls.ts';
import { type Driver, startDriver } from './driver.ts';

describe('csi-sanity: Identity Service', () => {
  let driver: Driver;
  before(async () => void (driver = await startDriver({ flags: { 'storage-backend': 'memory' } })));
  after(() => driver[Symbol.asyncDispose]());

  test('GetPluginCapabilities should return appropriate capabilities', async () => {
    const { capabilities } = await driver.call('GetPluginCapabilities', {});
    const services = capabilities.flatMap((one: Reply) => one['service']?.type ?? []);
    assert.deepEqual(services, ['CONTROLLER_SERVICE']);
    const expansions = capabilities.flatMap((one: Reply) => one['volume_expansion']?.type ?? []);
    assert.deepEqual(expansions, ['ONLINE']);
  });

  test('Probe should return appropriate information', async () => {
    const { ready } = await driver.call('Probe', {});
    assert.equal(ready.value, true);
  });

  test('GetPluginInfo should return appropriate information', async () => {
    const info = await driver.call('GetPluginInfo', {});
    assert.match(info['name'], /^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/);
    assert.equal(info['vendor_version'], '0.0.0');
  });
});
