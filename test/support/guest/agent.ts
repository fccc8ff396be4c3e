/**
 * The last program that a guest's start runs, and the first of its root: runs what the host asks for. Messages are JSON, one a
 * line, over a virtio port (see `messages.ts`). It needs nothing but Node and this folder.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, read, writeSync } from 'node:fs';
import type { FromAgent, ToAgent } from './messages.ts';

const READ_BYTES = 64 * 1024;
/** Read from the port by one call, then given to the loop. */
const buffer = Buffer.alloc(READ_BYTES);
const children = new Map<number, ChildProcess>();
// A port can be opened once.
const port = openSync(process.argv[2] ?? '', 'r+');

// Orphans and signals must not end the first process: the kernel would panic.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('uncaughtException', (error) => say({ kind: 'trouble', text: String(error.stack) }));

say({ kind: 'ready' });
receive('');

function say(message: FromAgent): void {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
  for (let sent = 0; sent < bytes.length;) sent += writeSync(port, bytes, sent);
}

function receive(rest: string): void {
  read(port, buffer, 0, READ_BYTES, null, (error, length) => {
    // Nobody is at the other end for a moment.
    if (error !== null || length === 0) {
      setTimeout(receive, 50, rest);
      return;
    }
    const lines = (rest + buffer.toString('latin1', 0, length)).split('\n');
    const unfinished = lines.pop() ?? '';
    for (const line of lines) act(JSON.parse(Buffer.from(line, 'latin1').toString()) as ToAgent);
    receive(unfinished);
  });
}

function act(message: ToAgent): void {
  if (message.kind === 'start') return start(message);
  const child = children.get(message.id);
  if (message.kind === 'input') return void child?.stdin?.end(message.text);
  try {
    // The whole group: a shell's children go with it.
    if (child?.pid !== undefined) process.kill(message.isGroup ? -child.pid : child.pid, message.signal);
  } catch {
    // It has ended already.
  }
}

function start({ id, command, cwd, env }: ToAgent & { kind: 'start' }): void {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { cwd, env: { ...process.env, ...env }, detached: true, stdio: 'pipe' });
  children.set(id, child);
  child.stdin.on('error', () => undefined);
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8');
    child[stream].on('data', (text: string) => say({ kind: 'output', id, stream, text }));
  }
  child.once('spawn', () => say({ kind: 'started', id, pid: child.pid ?? 0 }));
  child.once('error', (error) => say({ kind: 'failed', id, text: error.message }));
  child.once('close', (status, signal) => {
    children.delete(id);
    say({ kind: 'ended', id, status, signal });
  });
}
