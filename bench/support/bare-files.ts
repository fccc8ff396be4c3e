import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';

/**
 * The same input and output as the gateway's, and nothing else: GET reads a file, PUT writes one with a flush of it and of
 * its directory. The argument is the directory.
 */
const directory = process.argv[2]!;
let written = 0;

const server = createServer((request, response) => {
  const name = (request.url ?? '/').slice(1).replaceAll('/', '_');
  if (request.method === 'GET') {
    const fd = openSync(join(directory, name), 'r');
    const bytes = Buffer.allocUnsafe(fstatSync(fd).size);
    readSync(fd, bytes);
    closeSync(fd);
    response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
    return;
  }
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    void store(name, Buffer.concat(chunks)).then((etag) =>
      response.writeHead(200, { etag, 'content-length': 0 }).end(),
    );
  });
});

async function store(name: string, bytes: Buffer): Promise<string> {
  const etag = createHash('md5').update(bytes).digest('hex');
  const temporary = join(directory, `tmp-${++written}`);
  const file = await open(temporary, 'wx');
  await file.write(bytes);
  await file.datasync();
  await file.close();
  await rename(temporary, join(directory, name));
  const folder = await open(directory, 'r');
  await folder.sync();
  await folder.close();
  return etag;
}

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') console.log(`http://127.0.0.1:${address.port}`);
});
