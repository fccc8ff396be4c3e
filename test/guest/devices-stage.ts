import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KnownVolume } from '../../src/volumes/devices/correlate.ts';
import { volumeSerial } from '../../src/volumes/devices/volume-serial.ts';
import { type Guest, bootGuest } from '../support/guest/guest.ts';
import type { GuestProcess } from '../support/guest/processes.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { until } from '../support/wait.ts';
import type { AgentState } from './devices-agent.ts';

/** A guest beside other test processes takes several times as long as alone. */
const waitMs = 60_000;
const taskFile = '/run/devices-task.json';

/** A guest with the agent of devices in it, and disks that are plugged in and pulled out. */
export class DevicesStage implements AsyncDisposable {
  readonly guest: Guest;
  readonly #agent: GuestProcess;
  readonly #directory: { readonly path: string } & AsyncDisposable;
  #task = 1;

  private constructor(guest: Guest, agent: GuestProcess, directory: { readonly path: string } & AsyncDisposable) {
    this.guest = guest;
    this.#agent = agent;
    this.#directory = directory;
  }

  static async open(modules: readonly string[]): Promise<DevicesStage> {
    const directory = await temporaryDirectory();
    const guest = await bootGuest({ modules });
    const first = JSON.stringify({ number: 0, known: [], wanted: [] });
    await guest.run(`cat > ${taskFile}`, { input: first });
    const agent = guest.runNode('test/guest/devices-agent.ts', [taskFile], { timeoutMs: 600_000 });
    agent.ended.catch(() => undefined);
    return new DevicesStage(guest, agent, directory);
  }

  /** Gives the agent its task, and waits until a state of it is as it should be. */
  async keeps(
    what: string,
    task: { readonly known: readonly KnownVolume[]; readonly wanted: readonly string[] },
    isDone: (state: AgentState) => boolean = ({ links }) => links.every(({ state }) => state === 'linked'),
  ): Promise<AgentState> {
    const number = this.#task++;
    const input = JSON.stringify({ number, ...task });
    await this.guest.run(`cat > ${taskFile}.new && mv ${taskFile}.new ${taskFile}`, { input });
    return this.sees(what, (state) => state.task === number && isDone(state));
  }

  /** Waits until the newest state is as it should be. */
  async sees(what: string, isDone: (state: AgentState) => boolean): Promise<AgentState> {
    try {
      return await until(
        what,
        () => {
          const state = this.states.at(-1);
          return state !== undefined && isDone(state) ? state : null;
        },
        waitMs,
      );
    } catch (error) {
      const lines = this.states.slice(-3).map((state) => JSON.stringify(state));
      throw new Error([String(error), ...lines, this.#agent.stderr].join('\n'), { cause: error });
    }
  }

  /** Lets the agent see and do nothing for a while. */
  pause(): void {
    this.#agent.kill('SIGSTOP');
  }

  resume(): void {
    this.#agent.kill('SIGCONT');
  }

  get states(): readonly AgentState[] {
    const whole = this.#agent.stdout.split('\n').slice(0, -1);
    return whole.map((line) => JSON.parse(line) as AgentState);
  }

  /** Plugs in a new disk of a volume, whose bytes all are `mark`. */
  async plug(volumeId: string, mark: string, sizeBytes: number): Promise<void> {
    const filename = join(this.#directory.path, mark);
    await writeFile(filename, Buffer.alloc(sizeBytes, mark));
    await this.plugAgain(volumeId, mark);
  }

  /** Plugs in a disk that was pulled out. */
  async plugAgain(volumeId: string, mark: string): Promise<void> {
    const filename = join(this.#directory.path, mark);
    const node = `node-${mark}`;
    await this.guest.qmp('blockdev-add', { driver: 'raw', 'node-name': node, file: { driver: 'file', filename } });
    const device = { driver: 'virtio-blk-pci', id: `disk-${mark}`, drive: node, bus: 'pci.0' };
    await this.guest.qmp('device_add', { ...device, serial: volumeSerial(volumeId) });
  }

  async pull(mark: string): Promise<void> {
    await this.guest.qmp('device_del', { id: `disk-${mark}` });
    // The node is free when the guest has let the disk go, which it is only asked for.
    await until(`disk ${mark} is out`, async () =>
      this.guest.qmp('blockdev-del', { 'node-name': `node-${mark}` }).then(
        () => true,
        () => false,
      ),
    );
  }

  async readsMark(path: string): Promise<string> {
    return this.guest.run(['dd', `if=${path}`, 'bs=4096', 'count=1', 'iflag=direct', 'status=none']).then((text) => {
      assert.equal(new Set(text).size, 1);
      return text.slice(0, 1);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.guest[Symbol.asyncDispose]();
    await this.#directory[Symbol.asyncDispose]();
  }
}
