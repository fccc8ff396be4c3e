#!/usr/bin/env node
// The package's command. The server is TypeScript, which Node.js runs as it is from version 24 on; this file is plain
// JavaScript so that an older Node.js, which cannot even read the rest, can still hand over to the right one.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const directory = dirname(dirname(fileURLToPath(import.meta.url)));

if (Number(process.versions.node.split('.')[0]) >= 24) {
  // Before the first use of the thread pool. Its four threads would all wait for the disk's flushes when keepers write, and
  // reads that need a few microseconds of one would wait behind them.
  process.env.UV_THREADPOOL_SIZE ??= '16';
  // In this very process: signals, streams and the exit code are then nobody's work.
  // Before the first TypeScript is read: kept code needs neither compiling nor the type stripper, which is large.
  const { enableCompileCache } = await import('node:module');
  enableCompileCache();
  const { main } = await import('../src/main.ts');
  await main(process.argv.slice(2));
  // What is left open (a keep-alive connection, say) is nobody's work any more.
  process.exit();
}

const node = findNode(directory);
if (node === undefined) {
  console.error(`Holdfast needs Node.js 24, but this is ${process.version} and its package "node" is not installed.`);
  process.exitCode = 1;
} else {
  run(node, [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)]);
}

/** The program of the package `node`, which npm may have put into a folder further up. */
function findNode(from) {
  const file = join('node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  for (let at = from; ; at = dirname(at)) {
    if (existsSync(join(at, file))) return join(at, file);
    if (at === dirname(at)) return undefined;
  }
}

/** Runs a program in this one's place: same streams, signals handed on, and the same end. */
function run(program, args) {
  const child = spawn(program, args, { stdio: 'inherit' });
  const hasTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  const handlers = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'].map((signal) => {
    // A terminal sends its keys' signals to both of us, and a second one would end the server before it has stopped.
    const isSentByTerminal = hasTerminal && (signal === 'SIGINT' || signal === 'SIGQUIT');
    return [signal, () => isSentByTerminal || child.kill(signal)];
  });
  for (const [signal, handler] of handlers) process.on(signal, handler);
  child.on('error', (error) => {
    console.error(`Holdfast cannot run ${program}: ${error.message}.`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    for (const [name, handler] of handlers) process.off(name, handler);
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
    // Whoever started this must see the same signal as the cause of the end.
    if (signal !== null) process.kill(process.pid, signal);
  });
}
