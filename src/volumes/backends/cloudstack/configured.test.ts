import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cloudStackMaker } from './configured.ts';

const settings = {
  cloudstackApiUrl: 'https://cloud.example/client/api',
  cloudstackApiKey: 'key',
  cloudstackSecretKey: 'secret',
  cloudstackZoneId: 'zone',
  cloudstackDiskOfferingId: 'offering',
  cloudstackPollIntervalMs: 1_000,
};

describe('the settings of the cloudstack backend', () => {
  it('make it when all are there', () => {
    const maker = cloudStackMaker(settings);
    assert.ok(typeof maker === 'function');
    assert.equal(maker().name, 'cloudstack');
  });

  it('are named where they are missing or wrong, and never shown', () => {
    const none = { ...settings, cloudstackSecretKey: undefined, cloudstackZoneId: undefined };
    assert.deepEqual(cloudStackMaker(none), {
      missing:
        'The cloudstack backend is not configured: set CLOUDSTACK_SECRET_KEY, CLOUDSTACK_ZONE_ID, and start the server again.',
    });
    const wrong = cloudStackMaker({ ...settings, cloudstackApiUrl: 'cloud.example' });
    assert.ok(typeof wrong !== 'function' && /CLOUDSTACK_API_URL is no http/.test(wrong.missing));
  });
});
