import { contract } from '../../src/contract.ts';
import { temporaryDirectory } from '../../test/support/temp.ts';
import { row } from '../support/report.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { type WrkRequest, wrk } from '../support/wrk.ts';
import { startOurs } from './our-server.ts';
import { type S3Target, send, signed } from './targets.ts';
import { upload } from './upload.ts';

const sizeBytes = 1_048_576;
const connections = 8;
const seconds = 3;
const rounds = 5;
const wantedRatio = 0.7;
/** Of the object that ranges are read of, in MiB; the second is what the target of the project is about. */
const largeMiB = { quick: 128, full: 1_024 };
const offsets = 200;

/** What requests came to: of the best round, since the rest is what else the machine had to do. */
interface Best {
  perSecond: number;
  cpuUs: number;
  readBytes: number;
}

/** What encryption costs: the same requests on a plain and on an encrypted bucket of one server, in turn. */
export async function benchObjectEncryption(): Promise<void> {
  await using directory = await temporaryDirectory();
  const key = Buffer.alloc(32, 7).toString('base64');
  const ours = await startOurs(directory.path, { ENCRYPTION_KEYS: `bench=${key}` });
  const plain = ours.target;
  await send(plain, 'PUT', '');
  const encryption = { algorithm: 'AES256' as const };
  await ours.client.call(contract.createBucket, { body: { name: 'sealed', encryption } });
  const sealed: S3Target = { ...plain, bucket: 'sealed' };
  const large = process.env['BENCH_FULL'] === '1' ? largeMiB.full : largeMiB.quick;
  for (const target of [plain, sealed]) {
    await send(target, 'PUT', 'get', Buffer.alloc(sizeBytes, 'x'));
    await upload(target, 'large', large);
  }
  await compare('GET 1 MiB', ours.process, (target) => [signed(target, 'GET', 'get')], [plain, sealed]);
  const puts = (target: S3Target) =>
    Array.from({ length: 32 }, (_, at) => signed(target, 'PUT', `put-${at}`, sizeBytes));
  await compare('PUT 1 MiB', ours.process, puts, [plain, sealed]);
  const starts = Array.from({ length: offsets }, () => Math.floor(Math.random() * (large * sizeBytes - sizeBytes)));
  const ranges = (target: S3Target) => starts.map((start) => ranged(signed(target, 'GET', 'large'), start));
  const read = await compare(`GET 1 MiB anywhere in ${large} MiB`, ours.process, ranges, [plain, sealed]);
  row(
    `bytes that the server reads for 1 MiB anywhere in ${large} MiB`,
    `${read.sealed.readBytes.toFixed(0)} encrypted, ${read.plain.readBytes.toFixed(0)} plain`,
  );
  await ours.process.stop();
}

function ranged(request: WrkRequest, start: number): WrkRequest {
  return { ...request, headers: { ...request.headers, range: `bytes=${start}-${start + sizeBytes - 1}` } };
}

async function compare(
  what: string,
  server: ServerProcess,
  requests: (target: S3Target) => readonly WrkRequest[],
  [plainTarget, sealedTarget]: readonly [S3Target, S3Target],
): Promise<{ readonly plain: Best; readonly sealed: Best }> {
  const [plain, sealed] = [worst(), worst()];
  for (let round = 0; round < rounds; round++) {
    await measure(server, plainTarget, requests, plain);
    await measure(server, sealedTarget, requests, sealed);
  }
  const ratio = (sealed.perSecond / plain.perSecond).toFixed(2);
  const rates = `${sealed.perSecond.toFixed(0)}/s encrypted, ${plain.perSecond.toFixed(0)}/s plain`;
  row(what, `${rates}: ${ratio} (wanted ${wantedRatio})`);
  const costs = `${sealed.cpuUs.toFixed(0)} encrypted, ${plain.cpuUs.toFixed(0)} plain`;
  row(`${what}: processor µs a request`, `${costs}: ${(plain.cpuUs / sealed.cpuUs).toFixed(2)} the other way round`);
  return { plain, sealed };
}

function worst(): Best {
  return { perSecond: 0, cpuUs: Number.POSITIVE_INFINITY, readBytes: Number.POSITIVE_INFINITY };
}

async function measure(
  server: ServerProcess,
  target: S3Target,
  requests: (target: S3Target) => readonly WrkRequest[],
  best: Best,
): Promise<void> {
  const [cpuBefore, readBefore] = [await server.cpuMs(), await server.readBytes()];
  const { requestsPerSecond, failed } = await wrk(target.url, requests(target), { connections, seconds });
  if (failed > 0) throw new Error(`${failed} requests failed`);
  const count = requestsPerSecond * seconds;
  best.perSecond = Math.max(best.perSecond, requestsPerSecond);
  best.cpuUs = Math.min(best.cpuUs, (((await server.cpuMs()) - cpuBefore) * 1_000) / count);
  best.readBytes = Math.min(best.readBytes, ((await server.readBytes()) - readBefore) / count);
}

if (import.meta.main) await benchObjectEncryption();
