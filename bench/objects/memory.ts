import { request } from 'node:http';
import { temporaryDirectory } from '../../test/support/temp.ts';
import { row } from '../support/report.ts';
import { startOurs } from './our-server.ts';
import { type S3Target, send, signed } from './targets.ts';

const uploads = 100;
const sizesMiB = [4, 16, 64];
const mebibyte = 1_048_576;

/** Resident memory while 100 uploads run at once: it must not depend on how large they are. */
export async function benchObjectMemory(): Promise<void> {
  await using directory = await temporaryDirectory();
  const ours = await startOurs(directory.path);
  const { target } = ours;
  await send(target, 'PUT', '');
  row('resident memory, idle', `${toMiB(await ours.process.memory())} MiB`);
  for (const sizeMiB of sizesMiB) {
    let peak = 0;
    const watch = setInterval(() => void ours.process.memory().then((bytes) => (peak = Math.max(peak, bytes))), 100);
    // The same keys each time: what is overwritten makes room.
    await Promise.all(Array.from({ length: uploads }, (_, index) => upload(target, `k-${index}`, sizeMiB)));
    clearInterval(watch);
    row(`resident memory, ${uploads} uploads of ${sizeMiB} MiB at once, at most`, `${toMiB(peak)} MiB`);
  }
  await ours.process.stop();
}

function toMiB(bytes: number): string {
  return (bytes / mebibyte).toFixed(0);
}

function upload(target: S3Target, key: string, sizeMiB: number): Promise<void> {
  const { path, headers } = signed(target, 'PUT', key);
  const chunk = Buffer.alloc(mebibyte, 'x');
  return new Promise((resolve, reject) => {
    const sending = request(target.url + path, {
      method: 'PUT',
      headers: { ...headers, 'content-length': sizeMiB * mebibyte },
    });
    sending.on('response', (response) => {
      response.resume();
      if (response.statusCode === 200) response.on('end', () => resolve());
      else reject(new Error(`${key}: ${response.statusCode}`));
    });
    sending.on('error', reject);
    void (async () => {
      for (let sent = 0; sent < sizeMiB; sent++) {
        if (!sending.write(chunk)) await new Promise<void>((resume) => sending.once('drain', () => resume()));
      }
      sending.end();
    })();
  });
}

if (import.meta.main) await benchObjectMemory();
