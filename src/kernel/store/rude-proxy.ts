import { connect, createServer, type Socket } from 'node:net';

/** The end of a greeting: ReadyForQuery, outside of a transaction. */
const ready = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

/** A PostgreSQL server's last words: ErrorResponse with severity, code and message. */
function lastWords(): Buffer {
  const fields = Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0');
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

/**
 * Stands before a PostgreSQL server. While it is rude it ends each new connection in the very packet that greets it, as
 * a server that shuts down now and then does.
 */
export async function rudeProxy(serverPort: number): Promise<{ port: number; isRude: boolean } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.pipe(upstream);
    upstream.on('end', () => client.end());
    client.on('close', () => upstream.destroy());
    let greeting: Buffer | null = Buffer.alloc(0);
    upstream.on('data', (bytes: Buffer) => {
      if (greeting === null) {
        client.write(bytes);
        return;
      }
      greeting = Buffer.concat([greeting, bytes]);
      if (!greeting.subarray(-ready.length).equals(ready)) return;
      if (proxy.isRude) client.end(Buffer.concat([greeting, lastWords()]));
      else client.write(greeting);
      greeting = null;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy = {
    port: (server.address() as { port: number }).port,
    isRude: false,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
