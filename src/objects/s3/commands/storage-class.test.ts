import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openStage } from '../test-stage.ts';

const cold = { 'x-amz-storage-class': 'COLD' };
const transition = (to: string) => `<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix>logs/</Prefix></Filter>
  <Status>Enabled</Status><Transition><Days>30</Days><StorageClass>${to}</StorageClass></Transition>
  <NoncurrentVersionTransition><NoncurrentDays>3</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions>
  <StorageClass>${to}</StorageClass></NoncurrentVersionTransition></Rule></LifecycleConfiguration>`;

test('a storage class is taken with a write, told by reads and listings, and changed by a copy onto itself', async () => {
  await using at = await openStage();
  await at.ask('PUT', '/box');
  const refused = await at.ask('PUT', '/box/k', { body: 'x', headers: { 'x-amz-storage-class': 'GLACIER' } });
  assert.match(`${refused.status} ${refused.text}`, /^400 .*<Code>InvalidStorageClass</s);
  const put = await at.ask('PUT', '/box/k', { body: 'x', headers: cold });
  assert.equal(put.headers['x-amz-storage-class'], 'COLD');
  const told = async () => (await at.ask('HEAD', '/box/k')).headers['x-amz-storage-class'];
  assert.equal(await told(), 'COLD');
  const listed = async () => /<StorageClass>(.*?)</.exec((await at.ask('GET', '/box?list-type=2')).text)?.[1];
  assert.equal(await listed(), 'COLD');
  const source = { 'x-amz-copy-source': '/box/k' };
  assert.equal((await at.ask('PUT', '/box/k', { headers: source })).status, 400, 'nothing would change');
  await at.ask('PUT', '/box/k', { headers: { ...source, 'x-amz-storage-class': 'STANDARD' } });
  assert.deepEqual([await told(), await listed()], [undefined, 'STANDARD']);
  await at.ask('POST', '/box/parts?uploads', { headers: cold });
  assert.match((await at.ask('GET', '/box?uploads')).text, /<StorageClass>COLD</);
});

test('transitions in lifecycle rules are kept as they came, and only for classes that there are', async () => {
  await using at = await openStage();
  await at.ask('PUT', '/box');
  assert.equal((await at.ask('PUT', '/box?lifecycle', { body: transition('GLACIER') })).status, 400);
  assert.equal((await at.ask('PUT', '/box?lifecycle', { body: transition('COLD') })).status, 200);
  const { text } = await at.ask('GET', '/box?lifecycle');
  const flat = (xml: string) => xml.replaceAll(/>\s+</g, '><');
  const [wanted] = /<Transition>.*<\/NoncurrentVersionTransition>/s.exec(flat(transition('COLD')))!;
  assert.ok(flat(text).includes(wanted), text);
});
