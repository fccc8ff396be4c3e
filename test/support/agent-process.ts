import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { cleanEnv } from './serve-process.ts';
import { until } from './wait.ts';

const bin = join(import.meta.dirname, '../../bin/holdfast.js');

/** A real agent in a process of its own, as a user starts it. */
export interface AgentProcess {
  readonly pid: number;
  /** Resolves when it speaks for its host. */
  ready(): Promise<void>;
  /** What it has printed so far. */
  output(): string;
  /** `kill -9`. */
  kill(): Promise<void>;
  /** Asks it to stop; gives the exit code. */
  stop(): Promise<number | null>;
}

/** Starts `holdfast agent` with these flags; it need not become ready. */
export function agentProcess(
  flags: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): AgentProcess {
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(process.execPath, [bin, 'agent', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...cleanEnv(), ...env },
  });
  const onExit = (): void => void child.kill('SIGKILL');
  process.once('exit', onExit);
  child.once('exit', () => process.off('exit', onExit));
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal);
    return exited;
  };
  return {
    pid: child.pid!,
    ready: async () => {
      await until('the agent is ready', () => {
        if (child.exitCode !== null) throw new Error(`the agent ended with ${child.exitCode}: ${text}`);
        return text.includes('Holdfast agent is ready');
      });
    },
    output: () => text,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
  };
}
