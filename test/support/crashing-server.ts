/**
 * A server in a process of its own that can be ended without warning in the middle of a backend's verb: what a power cut
 * leaves behind is what its successor finds. Forked with IPC; see `startCrashingServer`.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { flushCompileCache } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '../../src/client.ts';
import { loadConfig } from '../../src/kernel/config/config.ts';
import { createLog } from '../../src/kernel/telemetry/log.ts';
import { startServer } from '../../src/server.ts';
import { BackendFaults, type Moment, type Verb } from './faulty-backend.ts';

type ToServer =
  | { readonly type: 'start'; readonly flags: Readonly<Record<string, string>> }
  | { readonly type: 'arm'; readonly verb: Verb; readonly moment: Moment };
type FromServer =
  | { readonly type: 'loaded' }
  | { readonly type: 'started'; readonly url: string }
  | { readonly type: 'armed' }
  | { readonly type: 'reached' }
  | { readonly type: 'failed'; readonly message: string };

const answerMs = 60_000;

/** A process that has loaded the server's code, so that a server in it starts quickly. */
export interface CrashingServer extends AsyncDisposable {
  /** Starts the server; gives a client of it. */
  start(flags: Readonly<Record<string, string>>): Promise<Client>;
  /**
   * From here on, the next operation that calls this verb is held before or after its effect. Gives what waits for that,
   * and then ends the process by SIGKILL.
   */
  arm(verb: Verb, moment: Moment): Promise<{ kill(): Promise<void> }>;
}

/** Forks such a process. What it has compiled is kept for those after it, which then load faster. */
export async function startCrashingServer(): Promise<CrashingServer> {
  const env = { NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'), ...process.env };
  // Flags of this process, such as those of the test runner, are not the child's.
  const child = fork(fileURLToPath(import.meta.url), ['serve'], { execArgv: ['--no-warnings'], env });
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  // A test that fails before it waits for the end must not end the whole run with an unhandled rejection.
  exit.catch(() => {});
  const onExit = () => child.kill('SIGKILL');
  process.once('exit', onExit);
  await answer(child, 'loaded');
  return {
    async start(flags) {
      const started = answer(child, 'started');
      send(child, { type: 'start', flags });
      return new Client({ url: (await started).url });
    },
    async arm(verb, moment) {
      const armed = answer(child, 'armed');
      const reached = answer(child, 'reached');
      reached.catch(() => {});
      send(child, { type: 'arm', verb, moment });
      await armed;
      return {
        async kill() {
          await reached;
          child.kill('SIGKILL');
          await exit;
        },
      };
    },
    async [Symbol.asyncDispose]() {
      process.off('exit', onExit);
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exit;
    },
  };
}

function send(child: ChildProcess, message: ToServer): void {
  child.send(message);
}

function answer<T extends FromServer['type']>(
  child: ChildProcess,
  type: T,
): Promise<Extract<FromServer, { readonly type: T }>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => end(new Error(`the server process did not say "${type}" in time`)), answerMs);
    const onExit = () => end(new Error(`the server process ended before it said "${type}"`));
    const onMessage = (message: unknown) => {
      const said = message as FromServer;
      if (said.type === 'failed') end(new Error(said.message));
      else if (said.type === type) end(said as Extract<FromServer, { readonly type: T }>);
    };
    function end(result: Error | Extract<FromServer, { readonly type: T }>): void {
      clearTimeout(timer);
      child.off('exit', onExit);
      child.off('message', onMessage);
      if (result instanceof Error) reject(result);
      else resolve(result);
    }
    child.on('exit', onExit);
    child.on('message', onMessage);
  });
}

/** The child's side. */
function serve(): void {
  const faults = new BackendFaults();
  const say = (message: FromServer) => process.send?.(message);
  process.on('message', (message: ToServer) => {
    if (message.type === 'arm') {
      // The request is answered meanwhile, so that the test knows the operation's id.
      void faults.hold(message.verb, message.moment).reached.then(() => say({ type: 'reached' }));
      say({ type: 'armed' });
      return;
    }
    void start(message.flags, faults, say);
  });
  // Without its parent it would live on for nobody.
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  say({ type: 'loaded' });
}

async function start(
  flags: Readonly<Record<string, string>>,
  faults: BackendFaults,
  say: (message: FromServer) => void,
): Promise<void> {
  try {
    const log = createLog({ level: 'silent' });
    const { url } = await startServer(loadConfig({ flags, env: {} }), {
      log,
      wrapBackend: faults.wrap,
      wrapExportTarget: faults.wrapTarget,
    });
    say({ type: 'started', url });
    // At the end of the process it would be too late: it is killed.
    flushCompileCache();
  } catch (error) {
    say({ type: 'failed', message: String(error) });
  }
}

if (process.argv[2] === 'serve' && process.argv[1] === fileURLToPath(import.meta.url)) serve();
