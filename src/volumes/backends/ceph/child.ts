/**
 * The process that holds the cluster connection. It is forked by `child-handle.ts`, never imported: librbd blocks its
 * threads and can hang or crash, and none of that may reach the server.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError, toErrorData } from '../../../kernel/errors/errors.ts';
import type { Command } from './command.ts';
import { COMMANDS, LONG_VERBS, READERS } from './commands.ts';
import { Connector, loadLibraries, needsNewProcess } from './connector.ts';
import { KeyQueue } from '../../../kernel/concurrency/key-queue.ts';
import { Slots } from '../../../kernel/concurrency/slots.ts';
import { checkNames } from './names.ts';
import { NativeCalls } from './native-calls.ts';
import type { FromChild, ToChild, Verb } from './protocol.ts';

/** Below the 16 threads of libuv's pool, since a list uses several at once. */
const MAX_COMMANDS = 12;
const MAX_LONG_COMMANDS = 6;
const DRAIN_MS = 1_200;
const SHUTDOWN_MS = 800;
const DRAIN_POLL_MS = 20;

class Child {
  readonly #calls = new NativeCalls();
  readonly #changes = new KeyQueue();
  readonly #commands = new Slots(MAX_COMMANDS);
  readonly #longCommands = new Slots(MAX_LONG_COMMANDS);
  readonly #running = new Map<number, AbortController>();
  #connector: Connector | null = null;
  #closing = false;

  receive(message: ToChild): void {
    if (message.type === 'open') {
      this.#connector = new Connector(this.#calls, message.connection, message.predecessors, (address) =>
        send({ type: 'connected', address }),
      );
    } else if (message.type === 'call') {
      void this.#call(message);
    } else if (message.type === 'abandon') {
      this.#running.get(message.id)?.abort();
    } else if (message.type === 'ping') {
      send({ type: 'pong', id: message.id, stuck: this.#calls.stuck() });
    } else {
      void this.close();
    }
  }

  async probe(): Promise<void> {
    const problem = await loadLibraries(this.#calls).then(
      () => null,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    send({ type: 'probed', problem }, () => process.exit(0));
  }

  /** Lets what is under way end, leaves the cluster and exits; bounded, and rough when the time is over. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    for (const running of this.#running.values()) running.abort();
    for (let waitedMs = 0; waitedMs < DRAIN_MS && this.#calls.count > 0; waitedMs += DRAIN_POLL_MS) {
      await delay(DRAIN_POLL_MS);
    }
    const isIdle = this.#calls.count === 0;
    if (isIdle && ((await this.#connector?.shutdown(SHUTDOWN_MS)) ?? true)) process.exit(0);
    // An ordinary exit would run the libraries' destructors under threads that are still inside them.
    process.kill(process.pid, 'SIGKILL');
  }

  async #call(message: Extract<ToChild, { type: 'call' }>): Promise<void> {
    const controller = new AbortController();
    this.#running.set(message.id, controller);
    try {
      const value = await this.#schedule(message.verb, message.args, controller.signal);
      send({ type: 'done', id: message.id, value });
    } catch (thrown) {
      // A command that ends at its signal while somebody still waits for it was cut off by the closing.
      const error = controller.signal.aborted ? cutOff(message.verb) : thrown;
      const isLast = needsNewProcess(thrown);
      send({ type: 'failed', id: message.id, error: toErrorData(error), isLast }, () => {
        if (isLast) process.kill(process.pid, 'SIGKILL');
      });
    } finally {
      this.#running.delete(message.id);
    }
  }

  /** Changes of one image run in order, so that a late step of one call never mixes with its repetition. */
  #schedule(verb: Verb, args: object, signal: AbortSignal): Promise<unknown> {
    const task = (): Promise<unknown> => this.#commands.run(() => this.#run(verb, args, signal));
    if (READERS.has(verb)) return task();
    const gated = LONG_VERBS.has(verb) ? () => this.#longCommands.run(task) : task;
    return this.#changes.run(imageOf(args), gated);
  }

  async #run(verb: Verb, args: object, signal: AbortSignal): Promise<unknown> {
    if (this.#closing) throw new HoldfastError('unavailable', 'The Ceph backend is closing.');
    signal.throwIfAborted();
    if (this.#connector === null)
      throw new HoldfastError('internal', 'The Ceph child was called before it was opened.');
    checkNames(args);
    const session = await this.#connector.session();
    signal.throwIfAborted();
    // The message's type ties the arguments to the verb, but a table of functions cannot carry that through.
    const command = COMMANDS[verb] as unknown as (...all: Parameters<Command<Verb>>) => Promise<unknown>;
    return await command(session, args as Parameters<Command<Verb>>[1], signal);
  }
}

function cutOff(verb: Verb): HoldfastError {
  return new HoldfastError('unavailable', `The Ceph backend was closed during "${verb}"; the outcome is unknown.`);
}

function imageOf(args: object): string {
  if ('image' in args) return String(args.image);
  if ('params' in args) return (args.params as { image: string }).image;
  return '';
}

function send(message: FromChild, after?: () => void): void {
  // The parent may be gone; then nobody waits for the message.
  if (!process.connected || process.send === undefined) {
    after?.();
    return;
  }
  process.send(message, undefined, undefined, () => after?.());
}

const child = new Child();
// A signal for the whole process group, such as Ctrl-C, is the parent's to answer: it closes this process in order.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('disconnect', () => void child.close());
if (process.argv[2] === 'probe') await child.probe();
else process.on('message', (message) => child.receive(message as ToChild));
