import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below what the kernel gives to whoever asks for any port (Linux: 32768 on), and below what exports of tests have. */
const [first, last] = [11_000, 22_999];
const attemptsMax = 1_000;

/**
 * A port on loopback that nobody has, for a program that must be told one, or for an address where nobody answers. It stays
 * free for as long as that takes, also between two lives of the program: what asks for port 0, or connects to somewhere, as
 * other tests do all the time, is never given one of these.
 */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port!;
}

/** So many of them. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let attempt = 0; found.size < count; attempt++) {
    if (attempt === attemptsMax) throw new Error(`there are no ${count} free ports between ${first} and ${last}`);
    const port = first + Math.floor(Math.random() * (last - first + 1));
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
