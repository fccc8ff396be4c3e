/** A monitor that says what a test wants, on a unix socket: for what a real daemon does not do on demand. */
import { type Server, type Socket, createServer } from 'node:net';
import { join } from 'node:path';

export interface Request {
  readonly execute: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
  readonly id: number;
}

export const GREETING = { QMP: { version: { qemu: { major: 7, minor: 2, micro: 0 } }, capabilities: [] } };

export class TestMonitor {
  readonly path: string;
  readonly requests: Request[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
  }

  /** Greets, grants the capabilities, and answers all else as `answer` says; `undefined` is silence. */
  static async start(
    directory: string,
    answer: (request: Request, monitor: TestMonitor) => unknown,
    greeting: unknown = GREETING,
  ): Promise<TestMonitor> {
    const path = join(directory, `monitor-${Math.random().toString(16).slice(2)}.sock`);
    const server = createServer();
    const monitor = new TestMonitor(path, server);
    server.on('connection', (socket) => {
      monitor.#sockets.add(socket);
      socket.on('error', () => undefined);
      let rest = '';
      socket.on('data', (chunk: Buffer) => {
        const lines = (rest + chunk.toString('utf8')).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) monitor.#take(JSON.parse(line) as Request, answer);
      });
      if (greeting !== undefined) monitor.say(greeting);
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return monitor;
  }

  say(message: unknown): void {
    this.sayRaw(`${JSON.stringify(message)}\r\n`);
  }

  sayRaw(bytes: string | Buffer): void {
    for (const socket of this.#sockets) socket.write(bytes);
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #take(request: Request, answer: (request: Request, monitor: TestMonitor) => unknown): void {
    this.requests.push(request);
    const message = request.execute === 'qmp_capabilities' ? { return: {} } : answer(request, this);
    if (message !== undefined) this.say({ ...(message as object), id: request.id });
  }
}
