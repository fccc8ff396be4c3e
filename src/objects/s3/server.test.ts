import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openStage } from './test-stage.ts';

describe('the S3 endpoint', () => {
  test('keeps what is put and gives it back', async () => {
    await using at = await openStage();
    assert.equal((await at.ask('PUT', '/photos')).status, 200);
    const put = await at.ask('PUT', '/photos/a%2Fb%20c', { body: 'hello', headers: { 'x-amz-meta-Colour': 'blue' } });
    assert.equal(put.status, 200, put.text);
    const got = await at.ask('GET', '/photos/a/b%20c');
    assert.equal(got.text, 'hello');
    console.log(put.headers, got.headers);
    console.log((await at.ask('GET', '/photos?list-type=2')).text);
    console.log((await at.ask('GET', '/photos?acl=1&versionss')).text);
    console.log((await at.ask('GET', '/')).text);
    console.log(await at.ask('HEAD', '/photos/x'));
  });
});
