import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { describe, test } from 'node:test';
import { ByteClient } from './client-bytes.ts';
import { noAnswer } from './client-failure.ts';
import { Client } from './client.ts';
import { contract } from './contract.ts';
import { HoldfastError } from './kernel/errors/errors.ts';

const url = 'https://holdfast.example';

function coded(code: string): Error {
  return Object.assign(new Error(`it is ${code}`), { code });
}

/** Both clients' words for the same server. */
async function bothSay(address: string): Promise<[HoldfastError, HoldfastError]> {
  const bytes = new ByteClient({ url: address });
  const failures = await Promise.all(
    [new Client({ url: address }).call(contract.ready), bytes.send({ method: 'GET', path: '/readyz' })].map((call) =>
      call.then(
        () => assert.fail('it answered'),
        (error: unknown) => error,
      ),
    ),
  );
  bytes.close();
  const [one, other] = failures;
  assert.ok(one instanceof HoldfastError && other instanceof HoldfastError);
  return [one, other];
}

describe('a server that does not answer', () => {
  test('is told in the same words by both clients, with what to do', async () => {
    const server = createServer((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end('not TLS\r\n'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const spoken = await bothSay(`https://127.0.0.1:${port}`);
    for (const { message } of spoken) assert.match(message, /does not speak TLS: write http:\/\/ instead\.$/);
    await new Promise((resolve) => server.close(resolve));
    const gone = await bothSay(`http://127.0.0.1:${port}`);
    for (const { message, kind } of gone) {
      assert.equal(kind, 'unavailable');
      assert.match(message, /^There is no answer from http.*Is the server running \("holdfast serve"\)\?$/);
    }
  });

  test('is worth waiting for when it was there before', () => {
    assert.equal(noAnswer(url, coded('ECONNREFUSED')).details['connection'], 'absent');
    assert.equal(noAnswer(url, coded('ECONNREFUSED'), true).details['connection'], 'broken');
    assert.equal(noAnswer(url, coded('ECONNRESET')).details['connection'], 'broken');
  });

  test('says what is wrong with a certificate, which no waiting mends', () => {
    for (const code of ['DEPTH_ZERO_SELF_SIGNED_CERT', 'CERT_HAS_EXPIRED', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']) {
      const wrapped = new TypeError('fetch failed', { cause: coded(code) });
      const { message, details } = noAnswer(url, wrapped, true);
      assert.match(
        message,
        new RegExp(`^The certificate of ${url} is not accepted \\(${code}\\): name .*CA_CERTS\\.$`),
      );
      assert.equal(details['connection'], 'absent');
    }
  });

  test('is found behind several addresses that were tried', () => {
    const several = new AggregateError([coded('ECONNREFUSED'), coded('ENETUNREACH')]);
    assert.match(noAnswer(url, new TypeError('fetch failed', { cause: several })).message, /Is the server running/);
  });
});
