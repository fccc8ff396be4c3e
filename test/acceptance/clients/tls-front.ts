import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, type Socket, connect } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { promisify } from 'node:util';
import { tools } from '../../support/s3-clients.ts';

const run = promisify(execFile);
const timeoutMs = 20_000;

/** HTTPS before a server that speaks HTTP, as a proxy would give it. */
export interface TlsFront extends AsyncDisposable {
  readonly url: string;
  /** The file of the certificate that clients must trust. */
  readonly certificate: string;
}

/** Passes the bytes on as they come: `Host` is as the client has signed it. */
export async function startTlsFront(target: string, directory: string): Promise<TlsFront> {
  const [key, certificate] = [join(directory, 'front-key.pem'), join(directory, 'front.pem')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await run(tools.openssl.path, ['req', '-x509', ...kind, ...names, '-keyout', key, '-out', certificate], {
    timeout: timeoutMs,
  });
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const options = { key: await readFile(key), cert: await readFile(certificate) };
  const server = createServer(options, (outside) => {
    const inside = connect(Number(port), hostname);
    for (const socket of [outside, inside]) {
      sockets.add(socket);
      // The end of either is the end of both.
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        outside.destroy();
        inside.destroy();
      });
    }
    outside.pipe(inside).pipe(outside);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    certificate,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
