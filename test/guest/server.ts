/** The real server inside a guest, started and killed as by its user; what is on its disk stays. */
import assert from 'node:assert/strict';
import type { Client } from '../../src/client.ts';
import { contract } from '../../src/contract.ts';
import type { BodyOf, ReplyOf } from '../../src/kernel/http/contract.ts';
import { type ServeProcess, serveProcess } from '../support/serve-process.ts';
import { until } from '../support/wait.ts';
import { waitMs } from './machine.ts';
import { nodeArgs } from './node-args.ts';

type Operation = ReplyOf<typeof contract.getOperation>;
export type ExportReply = ReplyOf<typeof contract.listExports>['items'][number];
export type Connection = NonNullable<ExportReply['connection']>;

export class Server {
  readonly #directory: string;
  #process: ServeProcess | null = null;

  /** `directory`: where it keeps everything. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  async start(): Promise<void> {
    const flags = {
      port: '0',
      'data-dir': this.#directory,
      'storage-backend': 'file',
      'node-id': 'guest',
      'log-level': 'warn',
      'volume-retry-max-attempts': '2',
      'volume-retry-initial-wait': '50ms',
    };
    this.#process = await serveProcess(flags, nodeArgs);
  }

  get #running(): ServeProcess {
    assert.ok(this.#process !== null, 'the server runs');
    return this.#process;
  }

  get client(): Client {
    return this.#running.client;
  }

  get url(): string {
    return this.#running.url;
  }

  output(): string {
    return this.#running.output();
  }

  kill(): Promise<void> {
    return this.#running.kill();
  }

  async stop(): Promise<void> {
    assert.equal(await this.#running.stop(), 0, this.output());
  }

  /** Waits until what was accepted has ended, and gives it. */
  async ended(accepted: Promise<{ readonly operation_id: string }>): Promise<Operation> {
    const { operation_id: id } = await accepted;
    return until(
      `operation ${id} ends`,
      async () => {
        const operation = await this.client.call(contract.getOperation, { params: { id } });
        return operation.finished_at === null ? null : operation;
      },
      waitMs,
    );
  }

  async done(accepted: Promise<{ readonly operation_id: string }>): Promise<Operation> {
    const operation = await this.ended(accepted);
    assert.equal(operation.status, 'completed', `${JSON.stringify(operation)}\n${this.output()}`);
    return operation;
  }

  async create(name: string, sizeBytes: number): Promise<void> {
    await this.done(this.client.call(contract.createVolume, { body: { name, size_bytes: String(sizeBytes) } }));
  }

  /** Attaches a volume, and gives how to connect, as the operation says it. */
  async attach(volume: string, body: BodyOf<typeof contract.attachVolume>): Promise<Connection> {
    const attaching = this.client.call(contract.attachVolume, { params: { volume }, body });
    const { output } = await this.done(attaching);
    const [made] = (output as { readonly exports: readonly { readonly connection: Connection }[] }).exports;
    assert.ok(made !== undefined, JSON.stringify(output));
    return made.connection;
  }

  detach(volume: string, force = false): Promise<Operation> {
    return this.ended(this.client.call(contract.detachVolume, { params: { volume }, body: { force } }));
  }

  async resize(volume: string, sizeBytes: number): Promise<void> {
    const body = { size_bytes: String(sizeBytes) };
    await this.done(this.client.call(contract.resizeVolume, { params: { volume }, body }));
  }

  async state(volume: string): Promise<string> {
    return (await this.client.call(contract.getVolume, { params: { volume } })).state;
  }

  async exportOf(volume: string): Promise<ExportReply | undefined> {
    return (await this.client.call(contract.listExports, { params: { volume } })).items[0];
  }

  /** How often each event of a volume's exports was told. */
  async exportEvents(volume: string): Promise<readonly string[]> {
    const { id } = await this.client.call(contract.getVolume, { params: { volume } });
    const { items } = await this.client.call(contract.listEvents, { query: { volume_id: id, limit: 200 } });
    return items.map(({ type }) => type).filter((type) => type.startsWith('volume.export'));
  }

  /** Compares exports now, and not when the time has come. */
  async compareExports(): Promise<void> {
    await this.client.call(contract.runKeeper, { params: { name: 'export-keeper' } });
  }
}

/** The ready-made command for a purpose. */
export function commandOf({ commands }: Connection, purpose: string): string {
  const found = commands.find((each) => each.purpose === purpose);
  assert.ok(found !== undefined, `a command to ${purpose}`);
  return found.command;
}
