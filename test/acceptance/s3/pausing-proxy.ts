import { type Server, type Socket, connect, createServer } from 'node:net';

/** A way to a server that a test can close for a while: connections then neither come nor go on. */
export interface PausingProxy {
  readonly port: number;
  /** Nothing passes any more, and nobody is told: as when a network is cut. */
  pause(): void;
  /** Connections from before are broken, new ones pass. */
  resume(): void;
  stop(): Promise<void>;
}

export async function startPausingProxy(host: string, port: number): Promise<PausingProxy> {
  const sockets = new Set<Socket>();
  let isPaused = false;
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // Whoever is behind it sees that it is closed.
    socket.on('error', () => socket.destroy());
    return socket;
  };
  const server: Server = createServer((client) => {
    keep(client);
    if (isPaused) return;
    const target = keep(connect(port, host));
    client.on('data', (chunk) => isPaused || target.write(chunk));
    target.on('data', (chunk) => isPaused || client.write(chunk));
    client.on('close', () => target.destroy());
    target.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as { port: number }).port,
    pause: () => {
      isPaused = true;
    },
    resume: () => {
      isPaused = false;
      breakAll();
    },
    stop: async () => {
      breakAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
