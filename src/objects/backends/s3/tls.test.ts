import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { answer, backendOf, deadline, isError, loopback } from './testkit.ts';

/** A certificate for `*.s3.test` that no authority of this machine has signed. */
async function makeCertificate(directory: string): Promise<{ key: string; cert: string }> {
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const made = ['-keyout', key, '-out', cert, '-days', '2', '-nodes', '-subj', '/CN=s3.test'];
  const names = ['-addext', 'subjectAltName=DNS:*.s3.test'];
  const run = promisify(execFile);
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  await run('openssl', ['req', '-x509', ...kind, ...made, ...names], { timeout: 20_000 });
  return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
}

const hasOpenssl = (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, 'openssl')));
const isRequired = process.env['HOLDFAST_REQUIRE_REAL'] === '1';
const skip = hasOpenssl || isRequired ? false : 'openssl not found; on Debian: apt-get install openssl';

test('an S3 server by HTTPS is believed only with the authority and host of the settings', { skip }, async () => {
  await using directory = await temporaryDirectory();
  const { key, cert } = await makeCertificate(directory.path);
  const hosts: (string | undefined)[] = [];
  const server = createServer({ key, cert }, (request, response) => {
    hosts.push(request.headers.host);
    answer(response, 200, 'hello');
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const config = { endpoint: `https://s3.test:${port}`, bucket: 'bucket', path_style: 'false' };
  const trusting = backendOf({ ...config, ca: cert }, { lookup: loopback });
  const usual = backendOf(config, { lookup: loopback });
  const otherHost = backendOf({ ...config, path_style: 'true', ca: cert }, { lookup: loopback });
  try {
    assert.deepEqual((await trusting.get('key', null, deadline()))?.content, Buffer.from('hello'));
    assert.deepEqual(hosts, [`bucket.s3.test:${port}`]);
    await assert.rejects(usual.get('key', null, deadline()), isError('unavailable'));
    await assert.rejects(otherHost.get('key', null, deadline()), isError('unavailable'));
    assert.equal(hosts.length, 1, 'nothing was sent to whom was not trusted');
  } finally {
    for (const backend of [trusting, usual, otherHost]) await backend.close();
    server.closeAllConnections();
    server.close();
  }
});
