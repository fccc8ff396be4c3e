import { request } from 'node:http';
import { type S3Target, signed } from './targets.ts';

const mebibyte = 1_048_576;

/** Sends an object of so many MiB piece by piece, so that nothing holds it whole. */
export function upload(target: S3Target, key: string, sizeMiB: number): Promise<void> {
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
