import { contract } from '../../src/contract.ts';
import { temporaryDirectory } from '../../test/support/temp.ts';
import { row } from '../support/report.ts';
import { wrk } from '../support/wrk.ts';
import { startOurs } from './our-server.ts';
import { type S3Target, send, signed } from './targets.ts';

const sizeBytes = 1_048_576;
const connections = 8;
const seconds = 3;
const rounds = 3;
const wantedRatio = 0.7;

/** What encryption costs: the same requests on a plain and on an encrypted bucket of one server, in turn. */
export async function benchObjectEncryption(): Promise<void> {
  await using directory = await temporaryDirectory();
  const key = Buffer.alloc(32, 7).toString('base64');
  const ours = await startOurs(directory.path, { ENCRYPTION_KEYS: `bench=${key}` });
  await send(ours.target, 'PUT', '');
  const encryption = { algorithm: 'AES256' as const };
  await ours.client.call(contract.createBucket, { body: { name: 'sealed', encryption } });
  const sealed: S3Target = { ...ours.target, bucket: 'sealed' };
  for (const target of [ours.target, sealed]) await send(target, 'PUT', 'get', Buffer.alloc(sizeBytes, 'x'));
  for (const method of ['GET', 'PUT']) {
    const best = { plain: 0, sealed: 0 };
    for (let round = 0; round < rounds; round++) {
      best.plain = Math.max(best.plain, await rate(ours.target, method));
      best.sealed = Math.max(best.sealed, await rate(sealed, method));
    }
    const ratio = best.sealed / best.plain;
    const rates = `${best.sealed.toFixed(0)}/s encrypted, ${best.plain.toFixed(0)}/s plain`;
    row(`${method} 1 MiB`, `${rates}: ${ratio.toFixed(2)} (wanted ${wantedRatio})`);
  }
  await ours.process.stop();
}

async function rate(target: S3Target, method: string): Promise<number> {
  const requests =
    method === 'GET'
      ? [signed(target, 'GET', 'get')]
      : Array.from({ length: 32 }, (_, index) => signed(target, 'PUT', `put-${index}`, sizeBytes));
  const { requestsPerSecond, failed } = await wrk(target.url, requests, { connections, seconds });
  if (failed > 0) throw new Error(`${failed} requests failed`);
  return requestsPerSecond;
}

if (import.meta.main) await benchObjectEncryption();
